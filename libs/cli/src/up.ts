import pc from "picocolors";
import { Failure } from "./failure.ts";
import { startMarket } from "./market/market.ts";
import { choosePorts, SERVICE_NAMES } from "./market/ports.ts";
import { untilStopped } from "./market/stop-signal.ts";
import { DEFAULT_DATA } from "./place.ts";

interface UpOptions {
  readonly data: string;
  readonly ports?: string;
  readonly workers: string;
  readonly log?: "json" | "pretty";
}

const TOKEN_TTL_SECONDS = 24 * 60 * 60;

/** `bourse up`: keeps a market running until it is told to stop. */
export async function up(options: UpOptions): Promise<void> {
  const startedAt = performance.now();
  const workers = workersOf(options.workers, process.env["REDIS_URL"]);
  const stopped = untilStopped();
  await using market = await startMarket({
    data: options.data,
    ports: await choosePorts(options.ports),
    workers,
    log: options.log,
    echo: options.log === undefined ? undefined : process.stdout,
    databaseUrl: process.env["DATABASE_URL"],
    redisUrl: process.env["REDIS_URL"],
    payment: {
      listen: process.env["BOURSE_X402_LISTEN"],
      rails: process.env["BOURSE_X402_RAILS"],
    },
    onProgress: (line) => console.error(pc.dim(line)),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const token = await market.signer.mint("operator", TOKEN_TTL_SECONDS);
  const where = options.data === DEFAULT_DATA ? "" : ` --data ${options.data}`;
  const lines = [
    "",
    `${pc.bold("Bourse is up")} after ${seconds} s; its data is in ${market.folder.root}`,
    "",
    ...SERVICE_NAMES.map((name) => {
      const metrics = pc.dim(`metrics http://${market.metricsAddress(name)}/metrics`);
      const shared = name === "discovery" && workers > 1 ? `   ${workers} workers` : "";
      return `  ${pc.green("●")} ${name.padEnd(10)} grpc ${market.address(name)}   ${metrics}${shared}`;
    }),
    "",
    "An operator token, good for a day (./bourse token mints more):",
    "",
    `  export BOURSE_TOKEN=${token}`,
    "",
    "Try next, in another terminal:",
    "",
    `  ./bourse status${where}`,
    `  npx buf curl --protocol grpc --http2-prior-knowledge -H "authorization: Bearer $BOURSE_TOKEN" \\`,
    `    http://${market.address("registry")}/bourse.registry.v1.RegistryService/ListAgents`,
    `  grpcurl -plaintext ${market.address("auction")} describe bourse.auction.v1.AuctionService.PostTask`,
    "",
    pc.dim("Ctrl-C stops it; the data stays."),
  ];
  console.log(lines.join("\n"));
  await stopped;
  console.error(pc.dim("stopping"));
}

const WORKERS_MAX = 256;

function workersOf(text: string, redisUrl: string | undefined): number {
  const workers = Number(text);
  if (!Number.isInteger(workers) || workers < 1 || workers > WORKERS_MAX) {
    throw new Failure(`--workers takes a whole number from 1 to ${WORKERS_MAX}, got ${text}`);
  }
  if (workers > 1 && redisUrl === undefined) {
    throw new Failure("several workers take turns over Redis: set REDIS_URL");
  }
  return workers;
}
