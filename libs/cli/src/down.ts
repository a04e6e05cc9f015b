import { Failure } from "./failure.ts";
import { isDataFolder, openDataFolder, readRunning } from "./market/data-folder.ts";
import { stopLeftovers } from "./market/market.ts";
import { isAlive, signal } from "./market/process-id.ts";

const STOP_TIMEOUT_MS = 30_000;

/** `bourse down`: stops the market that runs on a data folder, or what is left of one. */
export async function down({ data }: { readonly data: string }): Promise<void> {
  if (!isDataFolder(data)) throw new Failure(`there is no market in ${data}`);
  const folder = openDataFolder(data);
  const running = readRunning(folder);
  if (running === undefined) {
    console.log(`no market runs on ${folder.root}`);
    return;
  }
  const { supervisor } = running;
  signal(supervisor, "SIGTERM");
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(supervisor)) {
    if (Date.now() > deadline) {
      throw new Failure(`the market (pid ${supervisor.pid}) did not stop in time`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stopLeftovers(folder, (line) => console.log(line));
  console.log(`stopped the market on ${folder.root}; its data stays`);
}
