import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { choosePorts, type Market, readSamples, startMarket, startRedis } from "@bourse/cli/market";
import { removeEmbedded } from "@bourse/postgres/embedded";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import { BenchFailure } from "../failure.ts";
import { poll } from "../poll.ts";
import type { Run } from "../program.ts";
import type { Caller } from "./targets.ts";

/** A registry and a discovery on a Postgres and a Redis, gone when disposed. */
export interface Stage extends AsyncDisposable {
  readonly market: Market;
  /** An operator's. */
  readonly token: string;
  readonly caller: Caller;
}

/** What a service has done since it began, as its metrics tell. */
export interface ServiceUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Calls of a method that were answered, by code. */
  calls(method: string): ReadonlyMap<string, number>;
  /** Agents that discovery knows. */
  readonly agents: number;
}

const TOKEN_TTL_SECONDS = 24 * 60 * 60;
/** A service that is asked more than it can do answers late. */
const METRICS_TIMEOUT_MS = 60_000;
const KNOWN_LIMIT_MS = 300_000;

/**
 * Starts registry and discovery in a folder of their own. Without auction and ledger, which follow the registry
 * too: on a machine of few cores they would take what is measured.
 * @throws BenchFailure when there is no redis-server
 */
export async function openStage(run: Run, redisUrl: string | undefined): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const served = await startServices(started, run, {
    redisUrl,
    services: ["registry", "discovery"],
  });
  const { market, token } = served;
  const channel = started.use(dial({ address: market.address("discovery"), token: () => token }));
  const stack = started.move();
  return {
    ...served,
    caller: client(DiscoveryService, channel),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/**
 * Starts a registry that nobody follows.
 * @throws BenchFailure when there is no redis-server
 */
export async function openRegistry(
  run: Run,
  redisUrl: string | undefined,
): Promise<Omit<Stage, "caller">> {
  await using started = new AsyncDisposableStack();
  const served = await startServices(started, run, { redisUrl, services: ["registry"] });
  const stack = started.move();
  return { ...served, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function startServices(
  started: AsyncDisposableStack,
  run: Run,
  options: {
    readonly redisUrl: string | undefined;
    readonly services: readonly ("registry" | "discovery")[];
  },
): Promise<{ readonly market: Market; readonly token: string }> {
  const { services } = options;
  const data = await mkdtemp(join(tmpdir(), "bourse-bench-"));
  started.defer(() => rm(data, { recursive: true, force: true }));
  started.defer(() => removeEmbedded(join(data, "postgres")));
  run.say(`starting Postgres, Redis, ${services.join(" and ")}`);
  const redisUrl = options.redisUrl ?? (await startRedis(started, data));
  if (redisUrl === undefined) {
    throw new BenchFailure(
      "no redis-server, where replicas of discovery take turns: apt-get install redis-server " +
        "(Debian), brew install redis (macOS), or set REDIS_URL",
    );
  }
  const ports = await choosePorts("auto");
  const market = started.use(
    await startMarket({ data, ports, redisUrl, services, onProgress: run.say }),
  );
  return { market, token: await market.signer.mint("operator", TOKEN_TTL_SECONDS) };
}

/** Reads the metrics of a service. */
export async function readUsage(metricsAddress: string): Promise<ServiceUsage> {
  const samples = await readSamples(metricsAddress, METRICS_TIMEOUT_MS);
  const value = (of: string) => samples.find(({ name }) => name === of)?.value ?? 0;
  return {
    cpuSeconds: value("process_cpu_seconds_total"),
    residentBytes: value("process_resident_memory_bytes"),
    calls(method) {
      const calls = new Map<string, number>();
      for (const { name, labels, value } of samples) {
        if (name !== "grpc_server_handled_total" || labels["grpc_method"] !== method) continue;
        if (labels["grpc_service"] !== DiscoveryService.typeName) continue;
        // Whoever puts on the load leaves at its end, without waiting for what is under way.
        const code = labels["grpc_code"] ?? "";
        if (code !== "canceled") calls.set(code, value);
      }
      return calls;
    },
    agents: value("marketplace_discovery_agents"),
  };
}

/** Waits until a discovery knows so many agents. @throws BenchFailure when it does not within minutes */
export async function untilKnown(
  metricsAddress: string,
  agents: number,
  signal: AbortSignal,
): Promise<void> {
  const isKnown = async () =>
    (await readUsage(metricsAddress)).agents >= agents ? true : undefined;
  const known = await poll(isKnown, { everyMs: 100, limitMs: KNOWN_LIMIT_MS, signal });
  if (known === undefined) throw new BenchFailure(`discovery does not know ${agents} agents`);
}
