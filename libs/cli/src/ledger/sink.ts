import { open, rename } from "node:fs/promises";

/** Where lines go. */
export interface Sink extends AsyncDisposable {
  /** Resolves when the system has the text; false when whoever reads has had enough. */
  write(text: string): Promise<boolean>;
  /** All was written. */
  finish(): Promise<void>;
}

/**
 * Opens a file, which gets its name when it is whole and is called `<name>.part` before, or the
 * standard output. `append` goes on with a part that was left.
 */
export async function openSink(name: string | undefined, append: boolean): Promise<Sink> {
  if (name === undefined) return standardOutput();
  const part = `${name}.part`;
  const file = await open(part, append ? "a" : "w");
  return {
    async write(text) {
      await file.appendFile(text);
      return true;
    },
    async finish() {
      await file.sync();
      await rename(part, name);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

function standardOutput(): Sink {
  const { stdout } = process;
  // Told to the callback of the write as well.
  const ignore = () => {};
  stdout.on("error", ignore);
  return {
    write(text) {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      stdout.write(text, (error) => {
        if (!error) resolve(true);
        else if ((error as NodeJS.ErrnoException).code === "EPIPE") resolve(false);
        else reject(error);
      });
      return promise;
    },
    async finish() {},
    async [Symbol.asyncDispose]() {
      stdout.off("error", ignore);
    },
  };
}
