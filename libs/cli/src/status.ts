import pc from "picocolors";
import { Failure } from "./failure.ts";
import { isDataFolder, openDataFolder, readRunning } from "./market/data-folder.ts";
import { checkHealth } from "./market/health.ts";
import { readMetrics } from "./market/metrics.ts";
import { isAlive } from "./market/process-id.ts";
import { newTable } from "./table.ts";

interface StatusOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** `bourse status`: shows how the market on a data folder is; exits 1 unless every service serves. */
export async function status({ data, json }: StatusOptions): Promise<void> {
  if (!isDataFolder(data)) {
    throw new Failure(`there is no market in ${data}: start one with ./bourse up`);
  }
  const folder = openDataFolder(data);
  const running = readRunning(folder);
  if (running === undefined || !isAlive(running.supervisor)) {
    throw new Failure(`no market runs on ${folder.root}: start it with ./bourse up`);
  }
  const services = await Promise.all(
    running.services.map(async ({ name, address, metricsAddress, process }) => ({
      name,
      health: await checkHealth(address),
      address,
      metricsAddress,
      pid: process.pid,
      ...(await readMetrics(metricsAddress)),
    })),
  );
  if (services.some(({ health }) => health !== "serving")) process.exitCode = 1;
  if (json) {
    const { supervisor, version, startTime } = running;
    const document = { data: folder.root, pid: supervisor.pid, version, startTime, services };
    console.log(JSON.stringify(document, undefined, 2));
    return;
  }
  const head = ["service", "health", "version", "grpc", "metrics", "pid", "counts"];
  const table = newTable(head);
  for (const { name, health, version, address, metricsAddress, pid, counts } of services) {
    const colour = health === "serving" ? pc.green : pc.red;
    const figures = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
    table.push([
      name,
      colour(health),
      version,
      address,
      metricsAddress,
      pid,
      figures.join("\n") || "-",
    ]);
  }
  console.log(`Bourse ${running.version} on ${folder.root}, up since ${running.startTime}`);
  console.log(table.toString());
}
