import { fork } from "node:child_process";
import { NODE_FLAGS } from "@bourse/cli/market";

/** A program of a bench, in a process of its own, that is asked one thing after the other. */
export interface Companion extends AsyncDisposable {
  /** Asks and waits for the answer. @throws what the program threw, or that it has ended */
  ask<T>(request: object): Promise<T>;
}

type Answer = { readonly answer: unknown } | { readonly error: string };

/** Starts a program, which calls `answerAsks`, with the flags that services have. */
export function startCompanion(
  program: string,
  options: {
    readonly parameters?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Companion {
  const { parameters = [], env = {}, signal } = options;
  const child = fork(program, [...parameters], {
    execArgv: [...NODE_FLAGS],
    env: { ...process.env, ...env },
    signal,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let fault: Error | undefined;
  child.on("error", (error) => {
    fault = error;
  });
  let before: Promise<unknown> = Promise.resolve();

  async function askNow<T>(request: object): Promise<T> {
    if (!child.connected) throw fault ?? new Error(`${program} has ended`);
    const said = new Promise<Answer>((resolve) => child.once("message", resolve as () => void));
    child.send(request);
    const answer = await Promise.race([said, ended]);
    if (answer === undefined) throw fault ?? new Error(`${program} has ended`);
    if ("error" in answer) throw new Error(`${program}: ${answer.error}`);
    return answer.answer as T;
  }

  return {
    ask(request) {
      const answer = before.then(() => askNow<never>(request));
      before = answer.catch(() => {});
      return answer;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** The program's side: answers each request, until whoever asks is gone. */
export function answerAsks<R>(answer: (request: R) => unknown): void {
  process.on("message", async (request: R) => {
    let said: Answer;
    try {
      said = { answer: await answer(request) };
    } catch (error) {
      said = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (process.connected) process.send?.(said);
  });
  process.once("disconnect", () => process.exit());
}
