import { randomBytes, randomUUIDv7 } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuard, createSigner, generateKeys } from "@bourse/access";
import { createPool } from "@bourse/postgres";
import { createFeed } from "@bourse/postgres/feed";
import { type TestDatabase, testDatabase } from "@bourse/postgres/testing";
import type { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  RegistryService,
  type WatchAgentsResponse,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { bind, type Channel, client, dial, serve, streamed } from "@bourse/rpc";
import { createLogger, createMetrics } from "@bourse/telemetry";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { AvailabilityStore } from "../src/availability-store.ts";
import type { BreakerStore } from "../src/breaker-store.ts";
import { tellLog } from "../src/events.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { createRegistryMetrics } from "../src/metrics.ts";
import { createPostgresStore } from "../src/postgres.ts";
import { queueMutations } from "../src/queue.ts";
import { createRedisAvailability } from "../src/redis/availability.ts";
import { createRedisBreakers } from "../src/redis/breakers.ts";
import { connectRedis } from "../src/redis/connection.ts";
import { codes } from "../src/rejections.ts";
import { registryService } from "../src/service.ts";

export const DIRECTORY = new URL("../migrations/", import.meta.url);

/** A database of one's own with the registry's schema. */
export function aDatabase(): Promise<TestDatabase> {
  return testDatabase({ schema: "registry", directory: DIRECTORY });
}

/** A clock that runs, and can be put forward. */
export function aClock() {
  let aheadMs = 0;
  return {
    now: () => new Date(Date.now() + aheadMs),
    forward: (ms: number) => {
      aheadMs += ms;
    },
  };
}

/** Availability in Redis over a connection of its own, closed with it. */
export async function redisAvailability(options: {
  readonly url: string;
  readonly now: () => Date;
  readonly prefix?: string;
  readonly onFault?: (error: unknown) => void;
}): Promise<AvailabilityStore> {
  const { url, onFault, ...rest } = options;
  const redis = await connectRedis(url, onFault);
  const store = await createRedisAvailability({ redis, ...rest });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      redis[Symbol.dispose]();
    },
  };
}

/** Breakers in Redis over a connection of their own, closed with them. */
export async function redisBreakers(options: {
  readonly url: string;
  readonly now: () => Date;
  readonly prefix?: string;
}): Promise<BreakerStore> {
  const { url, ...rest } = options;
  const redis = await connectRedis(url);
  const store = await createRedisBreakers({ redis, ...rest });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      redis[Symbol.dispose]();
    },
  };
}

export type Registry = Client<typeof RegistryService>;

/** One replica of the registry, served over a socket, on a pool of its own. */
export async function openRegistry(options: {
  readonly url: string;
  readonly now?: () => Date;
  readonly availability?: AvailabilityStore;
  readonly breakers?: BreakerStore;
  readonly calibrationLeastPpm?: bigint;
}) {
  const { now = () => new Date() } = options;
  const keys = await generateKeys(await mkdtemp(join(tmpdir(), "registry-keys-")));
  const signer = await createSigner({ keyFile: keys.keyFile });
  const pool = createPool(options.url, { schema: "registry", max: 25, pipeline: true });
  const availability = options.availability ?? createMemoryAvailability({ now });
  const breakers = options.breakers ?? createMemoryBreakers({ now });
  const feed = createFeed({ pool, channel: "registry_agents", pollMs: 200 });
  const store = createPostgresStore(pool);
  const mutations = queueMutations({ store, availability, now });
  const metrics = createMetrics({ service: "registry" });
  const service = registryService({
    store,
    mutations,
    availability,
    breakers,
    calibrationLeastPpm: options.calibrationLeastPpm ?? 500_000n,
    feed,
    now,
    newId: randomUUIDv7,
    newAlias: () => `erased-${randomBytes(12).toString("hex")}`,
    tell: tellLog(createLogger({ service: "registry", level: "silent" })),
    metrics: createRegistryMetrics(metrics, { store, availability, breakers, now }),
    committed: feed.touch,
    onFault: () => {},
  });
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.registry",
    bindings: [bind(RegistryService, service)],
    codes,
    guard: createGuard({ jwksFile: keys.jwksFile }),
    drainMs: 200,
  });
  const channels: Channel[] = [];
  const as = (principal: string): Registry => {
    const token = () => signer.mint(principal, 600);
    const channel = dial({ address: server.address, token });
    channels.push(channel);
    return client(RegistryService, channel);
  };
  return {
    as,
    operator: as("operator"),
    auction: as("service:auction"),
    metrics,
    pool,
    async [Symbol.asyncDispose]() {
      for (const channel of channels) channel.close();
      await server.drain();
      await mutations[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
      await availability[Symbol.asyncDispose]();
      await breakers[Symbol.asyncDispose]();
      await pool.end();
    },
  };
}

/** A replica of the registry on the database of others, whose leases and breakers are in a Redis or a cluster. */
export async function aReplica(options: {
  readonly url: string;
  readonly redisUrl: string;
  readonly now?: () => Date;
  readonly prefix?: string;
}) {
  const { url, redisUrl, now = () => new Date(), prefix } = options;
  const shared = { url: redisUrl, now, ...(prefix !== undefined && { prefix }) };
  const availability = await redisAvailability(shared);
  const breakers = await redisBreakers(shared);
  return openRegistry({ url, now, availability, breakers });
}

/** A profile that keeps every rule. */
export function aProfile(
  overrides: MessageInitShape<typeof AgentProfileSchema> = {},
): MessageInitShape<typeof AgentProfileSchema> {
  return { capabilities: ["python"], ...overrides };
}

let made = 0;

/** An id that no other agent has. */
export function anId(prefix = "agent"): string {
  made++;
  return `${prefix}-${process.pid}-${made}`;
}

/** Watches in the background, keeping what came. */
export function aWatcher(registry: Registry, resumeToken = "", { together = false } = {}) {
  const stopping = new AbortController();
  const messages: WatchAgentsResponse[] = [];
  const over = (async () => {
    try {
      const open = (signal: AbortSignal) =>
        registry.watchAgents({ resumeToken, together }, { signal });
      for await (const message of streamed(open, stopping.signal)) messages.push(message);
    } catch (error) {
      if (!stopping.signal.aborted) return error;
    }
    return undefined;
  })();
  const agents = (of = messages) =>
    of.flatMap(({ event }) => {
      if (event.case === "agents") return event.value.agents;
      return event.case === "agent" ? [event.value] : [];
    });
  return {
    messages,
    over,
    agents,
    snapshot: () =>
      agents(
        messages.slice(
          0,
          messages.findIndex(({ event }) => event.case === "synced"),
        ),
      ),
    isSynced: () => messages.some(({ event }) => event.case === "synced"),
    latest: (agentId: string) => agents().findLast((agent) => agent.agentId === agentId),
    token: () => messages.findLast((message) => message.resumeToken !== "")?.resumeToken ?? "",
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await over;
    },
  };
}
