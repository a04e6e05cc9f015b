import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./place.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * `bourse bench <what>`: runs the program test/bench/<what>.ts with the parameters given, and ends
 * as it does. Told to stop, it lets the program clean up first.
 */
export async function runBench(what: string, parameters: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, `test/bench/${what}.ts`), ...parameters], {
    // The channel tells the program when this process is gone, however it went.
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // Ctrl-C at the terminal must reach it once, from here.
    detached: true,
  });
  for (const name of SIGNALS) process.on(name, () => child.kill(name));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
