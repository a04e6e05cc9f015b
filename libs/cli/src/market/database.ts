import { setTimeout as delay } from "node:timers/promises";
import { type EmbeddedPostgres, startEmbedded } from "@bourse/postgres/embedded";
import { messageOf } from "../failure.ts";
import { identify, type ProcessId } from "./process-id.ts";

/** The market's Postgres: started again, on the same port, whenever it dies, until it is disposed. */
export interface Database extends AsyncDisposable {
  readonly url: string;
  /** The server that runs now, or ran last. */
  process(): ProcessId | undefined;
}

const RETRY_MS = 1_000;

/** Starts the embedded server on a folder. `say` is told when it had to be started again. */
export async function startDatabase(
  options: { readonly dataDirectory: string; readonly durable: boolean },
  say: (line: string) => void,
): Promise<Database> {
  const stopping = new AbortController();
  let server = await startEmbedded(options);
  const { port, url } = server;
  const kept = keep();

  async function keep(): Promise<void> {
    for (;;) {
      await server.exited;
      if (stopping.signal.aborted) return;
      say("Postgres died; starting it again");
      const started = await startAgain();
      if (started === undefined) return;
      server = started;
    }
  }

  async function startAgain(): Promise<EmbeddedPostgres | undefined> {
    while (!stopping.signal.aborted) {
      try {
        return await startEmbedded({ ...options, port });
      } catch (error) {
        say(`Postgres does not start: ${messageOf(error)}`);
        await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
    return undefined;
  }

  return {
    url,
    process: () => identify(server.pid),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await server.stop();
      await kept;
      // It may just have been started again.
      await server.stop();
    },
  };
}
