import cluster from "node:cluster";
import { createGuard, createSigner, ruleFaults, serviceToken } from "@bourse/access";
import { isOutage, isUnstorable } from "@bourse/postgres";
import {
  type Binding,
  type Codes,
  type Guard,
  Rejection,
  type RpcServer,
  type ServeOptions,
  serve,
} from "@bourse/rpc";
import {
  createLogger,
  createMetrics,
  type Logger,
  type Metrics,
  observeCall,
  serveMetrics,
  shareMetrics,
} from "@bourse/telemetry";
import { Code } from "@connectrpc/connect";
import { type Closeable, type Closers, createClosers } from "./closer.ts";
import type { ConfigOf } from "./config.ts";
import { createGate, STARTING } from "./gate.ts";
import { holdPort } from "./port.ts";
import { watchShutdown } from "./shutdown.ts";
import { meetSiblings, type Siblings } from "./siblings.ts";
import { exitWhenStuck, unlessStuck } from "./stuck.ts";
import type { commonVariables } from "./variables.ts";
import { readVersion } from "./version.ts";

/** The values of the variables that every service reads. */
export type CommonConfig = ConfigOf<typeof commonVariables>;

/** What a service is built with. */
export interface ServiceContext {
  readonly name: string;
  readonly version: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => Date;
  /**
   * Aborts when the service begins to stop: background work ends, running calls are still answered.
   */
  readonly signal: AbortSignal;
  /**
   * The current token of `service:<name>`, for calls to peers; rejects when BOURSE_KEY_FILE is
   * unset.
   */
  readonly token: () => Promise<string>;
  /**
   * Closes something after the last call was answered; the last deferred is closed first. Returns
   * its argument.
   */
  defer<C extends Closeable>(closeable: C): C;
}

/** A service, ready to be served. */
export interface BuiltService {
  readonly bindings: readonly Binding[];
  /** The gRPC code of each reason that the service refuses with. */
  readonly codes: Codes;
  /** Closed like what was deferred, after which they count as the last ones. */
  readonly closers?: readonly Closeable[];
}

/** A service to run. */
export interface RunOptions {
  /** `ledger`: names the service in logs, metrics and its own token. */
  readonly name: string;
  /** `bourse.ledger`: the domain of its reasons. */
  readonly domain: string;
  readonly config: CommonConfig;
  /** Connects, migrates, and makes the handlers. */
  readonly build: (context: ServiceContext) => Promise<BuiltService>;
  /**
   * The contracts that `build` will bind. When given, the port opens before `build`: health is
   * NOT_SERVING and calls are UNAVAILABLE with reason STARTING, unless another worker is ready, who
   * then answers alone. Without it the port opens after `build`.
   */
  readonly services?: readonly Binding["desc"][] | undefined;
  /** Methods that are asked the same again and again; see `serve`. */
  readonly repeated?: ServeOptions["repeated"];
  /** Brings the database up to date, before `build`. With BOURSE_MIGRATE_ONLY it is all that is done. */
  readonly migrate?: () => Promise<void>;
  readonly now?: () => Date;
}

/**
 * Runs a service until SIGTERM, SIGINT or an uncaught error, and resolves when all is closed.
 *
 * Stopping: `signal` aborts, health is NOT_SERVING, calls in flight have BOURSE_DRAIN_MS, then all
 * that was deferred is closed, the last first. The exit code is 1 after a failed start, an uncaught
 * error, or when something would not close. A second signal changes nothing.
 */
export async function run(options: RunOptions): Promise<void> {
  const { name, config } = options;
  const limitMs = config.BOURSE_DRAIN_MS;
  const logger = createLogger({
    service: name,
    level: config.BOURSE_LOG_LEVEL,
    format: config.BOURSE_LOG,
  });
  using shutdown = watchShutdown(name, logger);
  const closers = createClosers({
    limitMs: limitMs + CLOSE_MS,
    onError: (error) => shutdown.fail(error, `${name} could not close everything`),
  });
  try {
    const started = start({ options, logger, closers, signal: shutdown.signal });
    await unlessStuck(started, shutdown.begun, limitMs);
    if (!config.BOURSE_MIGRATE_ONLY) await shutdown.begun;
  } catch (error) {
    // Whoever asked for a migration takes the exit code for its outcome.
    const isAskedFor = shutdown.signal.aborted && !config.BOURSE_MIGRATE_ONLY;
    if (isAskedFor) logger.warn({ event: "interrupted", err: error }, "no start");
    else shutdown.fail(error, `${name} cannot start`);
  }
  await closers.close();
  logger.info({ event: "stopped" }, `${name} stopped`);
  exitWhenStuck(logger);
}

const CLOSE_MS = 2_000;

interface Start {
  readonly options: RunOptions;
  readonly logger: Logger;
  readonly closers: Closers;
  readonly signal: AbortSignal;
}

async function start({ options, logger, closers, signal }: Start): Promise<void> {
  const startedMs = performance.now();
  const { name, config, services, now = () => new Date() } = options;
  const version = config.BOURSE_VERSION ?? (await readVersion());
  if (config.BOURSE_MIGRATE_ONLY) return migrateOnly(options, version, logger);
  const metrics = createMetrics({ service: name });
  const listen = config.BOURSE_METRICS_LISTEN;
  if (cluster.isWorker) shareMetrics(metrics.registry);
  if (listen !== undefined) {
    closers.add(await serveMetrics({ listen, registry: metrics.registry }));
  }
  const guard = createGuard({ jwksFile: config.BOURSE_JWKS_FILE, now });
  await guard.load();
  const token = await tokenOf(name, config.BOURSE_KEY_FILE, now);
  const defer: ServiceContext["defer"] = (closeable) => closers.add(closeable);
  metrics
    .gauge("bourse_build_info", "1, with the version that runs", ["version"])
    .set({ version }, 1);
  const context = { name, version, logger, metrics, now, signal, token, defer };

  const open = (door: Door) => openPort({ options, logger, metrics }, door);
  const siblings = await meetSiblings();
  const server =
    services === undefined
      ? await buildThenOpen(options, context, { guard, open, closers })
      : await openThenBuild({ ...options, services }, context, { guard, open, closers, siblings });
  // Closed before the server: who drains takes no more connections.
  closers.add(siblings.announce());

  logger.info(
    {
      event: "started",
      version,
      address: server.address,
      ms: Math.round(performance.now() - startedMs),
    },
    `${name} ${version} serves on ${server.address}`,
  );
}

async function migrateOnly({ name, migrate }: RunOptions, version: string, logger: Logger) {
  await migrate?.();
  logger.info({ event: "migrated", version }, `the database is that of ${name} ${version}`);
}

interface Door {
  readonly bindings: readonly Binding[];
  readonly codes: Codes;
  readonly guard: Guard;
  readonly serving: boolean;
}

interface Opening {
  readonly guard: Guard;
  readonly open: (door: Door) => Promise<RpcServer>;
  readonly closers: Closers;
}

async function buildThenOpen(
  options: RunOptions,
  context: ServiceContext,
  { guard, open, closers }: Opening,
): Promise<RpcServer> {
  await options.migrate?.();
  const { bindings, codes, closers: more = [] } = await options.build(context);
  for (const closeable of more) closers.add(closeable);
  context.signal.throwIfAborted();
  return closers.add(
    await open({ bindings, codes: { ...OWN_CODES, ...codes }, guard, serving: true }),
  );
}

async function openThenBuild(
  options: RunOptions & { readonly services: readonly Binding["desc"][] },
  context: ServiceContext,
  { guard, open, closers, siblings }: Opening & { readonly siblings: Siblings },
): Promise<RpcServer> {
  const gate = createGate(options.services, guard);
  const codes: Record<string, Code> = { ...OWN_CODES };
  const hold = holdPort(siblings, () => open({ ...gate, codes, serving: false }));
  const port = closers.add(await hold);
  try {
    await options.migrate?.();
    const built = await options.build(context);
    for (const closeable of built.closers ?? []) closers.add(closeable);
    context.signal.throwIfAborted();
    Object.assign(codes, built.codes);
    gate.open(built.bindings);
    return await port.serve();
  } finally {
    // Once more, as the last one: it must be drained before anything that its calls need is closed.
    closers.add(port);
  }
}

function openPort(
  { options, logger, metrics }: Pick<Start, "options" | "logger"> & { readonly metrics: Metrics },
  door: Door,
): Promise<RpcServer> {
  const faults = ruleFaults(door.bindings.map((binding) => binding.desc));
  if (faults.length > 0) throw new Error(`the contract has faults: ${faults.join("; ")}`);
  return serve({
    ...door,
    listen: options.config.BOURSE_LISTEN,
    domain: options.domain,
    repeated: options.repeated,
    drainMs: options.config.BOURSE_DRAIN_MS,
    onFinished: observeCall(logger, metrics),
    interpret,
    onError: (err) => logger.error({ event: "stray_error", err }, "an error without a call"),
  });
}

const DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE";

/** The codes of what every service may refuse with, whatever it is for. */
const OWN_CODES = { [STARTING]: Code.Unavailable, [DATABASE_UNAVAILABLE]: Code.Unavailable };

/**
 * What the database says that is no bug of the handler: that it is away, so that the caller should
 * come again, or that it cannot store what the caller sent.
 */
function interpret(thrown: unknown): unknown {
  if (isOutage(thrown)) {
    const text = "the service cannot reach its database";
    return new Rejection(DATABASE_UNAVAILABLE, text, { retryAfterMs: 500 });
  }
  if (isUnstorable(thrown)) {
    return new Rejection("INVALID_REQUEST", "texts must not contain the character U+0000");
  }
  return thrown;
}

async function tokenOf(
  name: string,
  keyFile: string | undefined,
  now: () => Date,
): Promise<() => Promise<string>> {
  if (keyFile !== undefined)
    return serviceToken(await createSigner({ keyFile, now }), name, { now });
  return () => Promise.reject(new Error(`${name} has no token: BOURSE_KEY_FILE is unset`));
}
