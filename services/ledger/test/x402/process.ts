import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A ledger in a process of its own, with a facilitator on a free port. */
export interface LedgerProcess extends AsyncDisposable {
  /** Where the facilitator of the process that ran last is, or was. */
  readonly url: string;
  /** Kills the process with SIGKILL and starts another one. */
  replace(): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Starts a ledger process with this environment and waits until it serves x402. */
export async function startProcess(env: Readonly<Record<string, string>>): Promise<LedgerProcess> {
  let running = await start(env);
  let replacing: Promise<void> = Promise.resolve();
  return {
    get url() {
      return running.url;
    },
    replace() {
      // One after the other, so that none is started twice in the place of one.
      replacing = replacing.then(async () => {
        await kill(running.child);
        running = await start(env);
      });
      return replacing;
    },
    async [Symbol.asyncDispose]() {
      await replacing;
      await kill(running.child);
    },
  };
}

async function start(env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env["PATH"],
      ...env,
      BOURSE_LISTEN: "127.0.0.1:0",
      BOURSE_X402_LISTEN: "127.0.0.1:0",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { readonly event?: string; readonly address?: string };
    if (told.event !== "x402" || told.address === undefined) continue;
    child.stdout.resume();
    return { child, url: `http://${told.address}` };
  }
  throw new Error("the ledger ended before it served x402");
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
