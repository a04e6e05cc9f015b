import { startProcess } from "@bourse/service/testing";

/** A ledger in a process of its own, with a facilitator on a free port. */
export interface LedgerProcess extends AsyncDisposable {
  /** Where the facilitator of the process that ran last is, or was. */
  readonly url: string;
  /** Kills the process with SIGKILL and starts another one. */
  replace(): Promise<void>;
}

const MAIN = new URL("../../src/main.ts", import.meta.url);

/** Starts a ledger process with this environment and waits until it serves x402. */
export async function startLedger(env: Readonly<Record<string, string>>): Promise<LedgerProcess> {
  let running = await start(env);
  let replacing: Promise<void> = Promise.resolve();
  return {
    get url() {
      return running.told;
    },
    replace() {
      // One after the other, so that none is started twice in the place of one.
      replacing = replacing.then(async () => {
        await running.kill();
        running = await start(env);
      });
      return replacing;
    },
    async [Symbol.asyncDispose]() {
      await replacing;
      await running.kill();
    },
  };
}

function start(env: Readonly<Record<string, string>>) {
  const listen = { BOURSE_LISTEN: "127.0.0.1:0", BOURSE_X402_LISTEN: "127.0.0.1:0" };
  return startProcess(MAIN, { ...env, ...listen }, ({ event, address }) =>
    event === "x402" ? `http://${String(address)}` : undefined,
  );
}
