import { join } from "node:path";
import { createSigner, generateKeys, type Signer } from "@bourse/access";
import { readVersion } from "@bourse/service";
import { Failure } from "../failure.ts";
import {
  type DataFolder,
  forgetRunning,
  lockDataFolder,
  openDataFolder,
  type RunningService,
  readRunning,
  writeRunning,
} from "./data-folder.ts";
import { type Database, startDatabase } from "./database.ts";
import { waitUntilServing } from "./health.ts";
import { lastWords } from "./last-words.ts";
import { type PaymentOptions, paymentEnvironment } from "./payment.ts";
import {
  type Ports,
  requireFree,
  SERVICE_NAMES,
  type ServiceName,
  type ServicePorts,
} from "./ports.ts";
import { identify, isAlive, type ProcessId, signal } from "./process-id.ts";
import { type ServiceProcess, startService } from "./service-process.ts";

export { waitUntilServing } from "./health.ts";
export { readSamples, type Sample } from "./metrics.ts";
export { choosePorts, SERVICE_NAMES, type ServiceName } from "./ports.ts";
export { startRedis } from "./redis.ts";
export { NODE_FLAGS } from "./service-process.ts";

/** What an embedded market is started with. */
export interface MarketOptions {
  readonly data: string;
  readonly ports: Ports;
  /** `json` (default) or `pretty`. */
  readonly log?: "json" | "pretty" | undefined;
  /** Also show the services' logs here. */
  readonly echo?: NodeJS.WritableStream | undefined;
  /** Use these servers instead of the embedded ones. */
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  /** Processes of discovery that share its port; more than one need `redisUrl`. */
  readonly workers?: number;
  /** What may be paid by x402, and where; a rail to try and no port when absent. */
  readonly payment?: PaymentOptions;
  /** Which of its services run; all of them when absent. */
  readonly services?: readonly ServiceName[];
  /** False gives up durability for speed; for tests of what does not depend on it. */
  readonly durable?: boolean;
  /** Told one sentence at a time what happens. */
  readonly onProgress?: (line: string) => void;
}

/** A market that runs. */
export interface Market extends AsyncDisposable {
  readonly folder: DataFolder;
  readonly signer: Signer;
  readonly databaseUrl: string;
  /** As they run now. */
  services(): readonly RunningService[];
  address(name: ServiceName): string;
  metricsAddress(name: ServiceName): string;
  /** The process of a service, or of the embedded Postgres, that runs now or ran last. */
  processOf(name: ServiceName | "postgres"): ProcessId | undefined;
  /** Kills it with SIGKILL; it is started again. */
  kill(name: ServiceName | "postgres"): void;
  /** Waits until every service serves. */
  serving(timeoutMs?: number): Promise<void>;
  /** Starts one more process of a service, on ports of its own, until it is disposed. */
  replica(name: ServiceName, ports: ServicePorts): Replica;
}

/** One more process of a service. */
export interface Replica extends AsyncDisposable {
  readonly address: string;
  readonly metricsAddress: string;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

/**
 * Starts Postgres and the four services on a data folder and waits until all of them serve.
 * @throws Failure when the folder is in use or too new, a port is taken, or a service does not come up
 */
export async function startMarket(options: MarketOptions): Promise<Market> {
  const say = options.onProgress ?? (() => {});
  await using started = new AsyncDisposableStack();
  const folder = openDataFolder(options.data);
  started.use(lockDataFolder(folder));
  await stopLeftovers(folder, say);
  await requireFree(options.ports);

  const version = await readVersion();
  const keys = await generateKeys(folder.keys);
  const database = await openDatabase(started, folder, options);
  const processes = new Map<ServiceName, ServiceProcess>();
  const startTime = new Date().toISOString();
  const services = () =>
    [...processes].map(([name, { process }]) => ({
      name,
      address: addressOf(options.ports[name].rpc),
      metricsAddress: addressOf(options.ports[name].metrics),
      process,
    }));
  const writeDown = () =>
    writeRunning(folder, {
      supervisor: identify(process.pid),
      version,
      startTime,
      services: services(),
    });

  started.defer(() => forgetRunning(folder));
  started.defer(async () => {
    await Promise.all([...processes.values()].map((service) => service.stop(STOP_TIMEOUT_MS)));
  });
  const start = (name: ServiceName, ports: Ports, onStart: () => void) =>
    startService({
      name,
      env: environmentOf(
        name,
        { ...options, ports },
        { ...keys, databaseUrl: database.url, version },
      ),
      logDirectory: folder.logs,
      echo: options.echo,
      onStart,
      onDeath: (how, againMs) => say(`${name} died (${how}); starting it again in ${againMs} ms`),
    });
  for (const name of options.services ?? SERVICE_NAMES) {
    processes.set(name, start(name, options.ports, writeDown));
  }
  writeDown();

  const serving = async (timeoutMs = START_TIMEOUT_MS) => {
    const waits = services().map(async ({ name, address }) => {
      if (await waitUntilServing(address, timeoutMs)) return;
      const log = join(folder.logs, `${name}.log`);
      throw new Failure(`${name} did not come up on ${address}: see ${log}${lastWords(log)}`);
    });
    await Promise.all(waits);
  };
  const processOf: Market["processOf"] = (name) =>
    name === "postgres" ? database.process() : processes.get(name)?.process;
  await serving();
  const stack = started.move();
  return {
    folder,
    signer: await createSigner({ keyFile: keys.keyFile }),
    databaseUrl: database.url,
    services,
    address: (name) => addressOf(options.ports[name].rpc),
    metricsAddress: (name) => addressOf(options.ports[name].metrics),
    processOf,
    kill(name) {
      const victim = processOf(name);
      if (victim !== undefined) signal(victim, "SIGKILL");
    },
    serving,
    replica(name, ports) {
      const service = start(name, { ...options.ports, [name]: ports }, () => {});
      return {
        address: addressOf(ports.rpc),
        metricsAddress: addressOf(ports.metrics),
        [Symbol.asyncDispose]: () => service.stop(STOP_TIMEOUT_MS),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Stops services whose supervisor died without a goodbye, so that they do not hold the ports. */
export async function stopLeftovers(
  folder: DataFolder,
  say: (line: string) => void,
): Promise<void> {
  const left = (readRunning(folder)?.services ?? []).filter(({ process }) => isAlive(process));
  if (left.length === 0) return;
  say(`stopping ${left.map(({ name }) => name).join(", ")}, left by a market that died`);
  for (const { process } of left) signal(process, "SIGKILL");
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (left.some(({ process }) => isAlive(process)) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The server that the caller named, or one of the market's own. */
async function openDatabase(
  stack: AsyncDisposableStack,
  folder: DataFolder,
  { databaseUrl, durable = true, onProgress = () => {} }: MarketOptions,
): Promise<Pick<Database, "url" | "process">> {
  if (databaseUrl !== undefined) return { url: databaseUrl, process: () => undefined };
  return stack.use(await startDatabase({ dataDirectory: folder.postgres, durable }, onProgress));
}

function addressOf(port: number): string {
  return `127.0.0.1:${port}`;
}

function environmentOf(
  name: ServiceName,
  { ports, log, redisUrl, payment, workers = 1, services = SERVICE_NAMES }: MarketOptions,
  given: {
    readonly keyFile: string;
    readonly jwksFile: string;
    readonly databaseUrl: string;
    readonly version: string;
  },
): Record<string, string> {
  const redis: Record<string, string> = redisUrl === undefined ? {} : { REDIS_URL: redisUrl };
  const common = {
    BOURSE_LISTEN: addressOf(ports[name].rpc),
    BOURSE_METRICS_LISTEN: addressOf(ports[name].metrics),
    BOURSE_JWKS_FILE: given.jwksFile,
    BOURSE_KEY_FILE: given.keyFile,
    BOURSE_LOG: log ?? "json",
    BOURSE_VERSION: given.version,
  };
  const peer = (of: ServiceName): Record<string, string> =>
    services.includes(of)
      ? { [`BOURSE_${of.toUpperCase()}_ADDRESS`]: addressOf(ports[of].rpc) }
      : {};
  const registry = peer("registry");
  const ledger = peer("ledger");
  const auction = peer("auction");
  const database = { DATABASE_URL: given.databaseUrl };
  const own: Record<ServiceName, Record<string, string>> = {
    registry: { ...database, ...auction, ...ledger, ...redis },
    auction: { ...database, ...registry, ...ledger },
    ledger: { ...database, ...paymentEnvironment(payment) },
    discovery: { ...registry, ...redis, ...LET_GO, BOURSE_WORKERS: String(workers) },
  };
  return { ...common, ...own[name] };
}

/**
 * Has glibc give large arrays back to the system when they are let go of. By itself it keeps what is freed below a
 * limit that rises with each of them: the columns that discovery outgrows, an eighth of what it holds with 100,000
 * agents.
 */
const LET_GO = { MALLOC_MMAP_THRESHOLD_: "131072" } as const;
