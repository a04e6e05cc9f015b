import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@bourse/rpc";
import { createLogger, gatheredMetrics, type Logger, serveMetrics } from "@bourse/telemetry";
import { closeUntaken } from "./handover.ts";
import { type RunOptions, run } from "./run.ts";
import { type Shutdown, watchShutdown } from "./shutdown.ts";
import { type Readied, relayReadiness } from "./siblings.ts";

/** A worker that has served this long is well again. */
const STEADY_MS = 10_000;
/** What a worker may take to close when its calls have been drained, before it is killed. */
const CLOSE_MS = 5_000;

/**
 * Runs a service like `run`, in so many processes that share its port: each takes the connections
 * that are handed to it, and none before it is ready while another one is. A worker that dies is
 * started again. This process serves the metrics of all, and ends when they have ended; when it is
 * killed, so are they.
 *
 * For services that keep what replicas must share outside of their process.
 */
export async function runWorkers(workers: number, options: RunOptions): Promise<void> {
  if (workers === 1 || cluster.isWorker) return run(options);
  const { name, config } = options;
  const { BOURSE_LOG_LEVEL: level, BOURSE_LOG: format, BOURSE_METRICS_LISTEN: listen } = config;
  const logger = createLogger({ service: name, level, format });
  using shutdown = watchShutdown(name, logger);
  const metrics =
    listen === undefined ? undefined : await serveMetrics({ listen, registry: gatheredMetrics() });
  await using _ = { [Symbol.asyncDispose]: async () => metrics?.[Symbol.asyncDispose]() };
  const readied = relayReadiness();
  const posts = Array.from({ length: workers }, () => keepOne({ name, logger, shutdown, readied }));
  await shutdown.begun;
  await endAll(config.BOURSE_DRAIN_MS + CLOSE_MS);
  await Promise.all(posts);
  logger.info({ event: "stopped" }, `${name} stopped`);
}

interface Post {
  readonly name: string;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  readonly readied: Readied;
}

/** Keeps one worker running until the end begins. */
async function keepOne({ name, logger, shutdown, readied }: Post): Promise<void> {
  const { signal } = shutdown;
  for (let failures = 0; !signal.aborted; failures += 1) {
    const startedMs = performance.now();
    // The port of the metrics is this process'.
    const worker = cluster.fork({ BOURSE_METRICS_LISTEN: "" });
    closeUntaken(worker);
    let listened = false;
    worker.once("listening", () => {
      listened = true;
    });
    // What is wrong with its channel ends it too.
    worker.on("error", (err) => logger.error({ event: "worker_failed", err }, "a worker failed"));
    const [code, killedBy] = await new Promise<[code: number, killedBy: string | null]>(
      (resolve) => {
        worker.once("exit", (...how) => resolve(how));
      },
    );
    if (signal.aborted) {
      if (code !== 0) process.exitCode = 1;
      return;
    }
    const how = killedBy ?? `exit code ${code}`;
    // It does not listen either while another is ready: then what they are started with is sound.
    if (!listened && failures === 0 && !readied.isAny) {
      return shutdown.fail(new Error(`a worker ended: ${how}`), `${name} cannot start`);
    }
    if (performance.now() - startedMs > STEADY_MS) failures = 0;
    const againMs = backoffMs(failures, Math.random);
    logger.error({ event: "worker_died", how, again_ms: againMs }, "a worker died");
    await delay(againMs, undefined, { signal }).catch(() => {});
  }
}

/** Asks every worker to end, and kills those that take longer than `limitMs`. */
async function endAll(limitMs: number): Promise<void> {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  await Promise.all(workers.map((worker) => endOne(worker, limitMs)));
}

async function endOne(worker: Worker, limitMs: number): Promise<void> {
  if (worker.isDead()) return;
  const ended = once(worker, "exit");
  worker.process.kill("SIGTERM");
  const killing = setTimeout(() => worker.process.kill("SIGKILL"), limitMs);
  await ended;
  clearTimeout(killing);
}
