import { Tinypool } from "tinypool";
import { refuse } from "../refusal.ts";
import type { SignatureTask } from "./signature-worker.ts";

/** Checks signatures beside the event loop, which the books need for themselves. */
export interface Signatures extends AsyncDisposable {
  /**
   * The address, in lower case, whose key made a signature; undefined when it is none.
   * @throws Rejection LEDGER_BUSY when too many wait
   */
  signer(task: SignatureTask): Promise<string | undefined>;
}

/** Starts the threads that check signatures; one checks some thousands in a second. */
export function createSignatures(options: {
  readonly threads: number;
  readonly waitingMax: number;
}): Signatures {
  const { threads, waitingMax } = options;
  const pool = new Tinypool({
    filename: new URL("./signature-worker.ts", import.meta.url).href,
    name: "recoverSigner",
    minThreads: threads,
    maxThreads: threads,
  });
  return {
    async signer(task) {
      if (pool.queueSize >= waitingMax) {
        throw refuse("LEDGER_BUSY", "too many signatures wait to be checked", {
          metadata: { waiting: String(pool.queueSize) },
          retryAfterMs: 200,
        });
      }
      return (await pool.run(task)) as string | undefined;
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}
