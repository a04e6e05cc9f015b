import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { connectRedis, type RedisClient } from "../src/redis.ts";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedisCluster,
} from "../src/testing.ts";

const COMMAND_MS = 10_000;
const KEYS = Array.from({ length: 20 }, (_, nth) => `key-${nth}`);

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

/** Sends a command to each of these nodes. */
async function onEach(urls: readonly string[], name: string, ...args: readonly string[]) {
  for (const url of urls) {
    const node = new Redis(url);
    await node.call(name, ...args);
    node.disconnect();
  }
}

/** A connection that is closed with the test. */
async function connected(url: string, onFault: (error: unknown) => void = () => {}) {
  const client = await connectRedis(url, { commandMs: COMMAND_MS, onFault });
  return { client, [Symbol.dispose]: () => client.disconnect() };
}

/** What became of a command to each key, and so to each node. */
async function outcomes(client: RedisClient): Promise<ReadonlySet<string>> {
  const sent = await Promise.allSettled(KEYS.map((key) => client.set(key, "1")));
  return new Set(sent.map(({ status }) => status));
}

describe.skipIf(isSkipped)("a connection to a Redis Cluster", () => {
  let cluster: TestRedisCluster;
  let urls: readonly string[];

  beforeAll(async () => {
    cluster = await startRedisCluster({ masters: 2 });
    urls = cluster.nodes.map(({ url }) => url);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test("tells of a node that is away, and uses it when it is back", async () => {
    const faults: string[] = [];
    using connection = await connected(cluster.url, (error) => faults.push(String(error)));
    const { client } = connection;
    const [node] = cluster.nodes;
    const before = await outcomes(client);

    await node?.kill();
    await vi.waitFor(async () => expect((await outcomes(client)).size).toBe(2));
    const { port } = new URL(node?.url ?? "");
    await vi.waitFor(() =>
      expect(faults).toEqual([`Error: the node 127.0.0.1:${port} of the Redis Cluster is away`]),
    );
    await node?.restart();

    expect(before).toEqual(new Set(["fulfilled"]));
    await vi.waitFor(async () => expect(await outcomes(client)).toEqual(before));
  });

  test("that is not whole yet holds nobody up, and is used once it is", async () => {
    await onEach(urls, "CONFIG", "SET", "cluster-require-full-coverage", "yes");
    await onEach(urls, "CLUSTER", "DELSLOTS", "0");

    using connection = await connected(cluster.url);
    const early = await outcomes(connection.client);
    await onEach(urls.slice(0, 1), "CLUSTER", "ADDSLOTS", "0");

    expect(early).toEqual(new Set(["rejected"]));
    const whole = new Set(["fulfilled"]);
    await vi.waitFor(async () => expect(await outcomes(connection.client)).toEqual(whole));
  });

  test("shows all nodes the password that stands in the first URL", async () => {
    await onEach(urls, "CONFIG", "SET", "requirepass", "s3cret/");

    const first = urls[0]?.replace("redis://", "redis://:s3cret%2F@");
    using connection = await connected(`${first},redis://127.0.0.1:1`);

    expect(connection.client).toBeInstanceOf(Cluster);
    expect(await outcomes(connection.client)).toEqual(new Set(["fulfilled"]));
  });

  test("takes a node that has forgotten its cluster for away, and nobody else for it", async () => {
    const [stays, forgets] = urls.map((url) => url.replace("redis://", "redis://:s3cret%2F@"));
    using connection = await connected([stays, forgets].join(","));
    const { client } = connection;

    await onEach([forgets as string], "FLUSHALL");
    await onEach([forgets as string], "CLUSTER", "RESET", "HARD");
    using other = await connected(stays as string);
    const answers = () => Promise.all(KEYS.map((key) => other.client.get(key).catch(String)));
    const unknown = expect.arrayContaining([expect.stringMatching(/MOVED \d+ :0$/)]);
    await vi.waitFor(async () => expect(await answers()).toEqual(unknown));

    // ioredis would ask the Redis that listens on the default port.
    const ports = () => (client as Cluster).nodes().map(({ options }) => options.port);
    await vi.waitFor(async () => {
      expect((await outcomes(client)).size).toBe(2);
      expect(ports()).not.toContain(6379);
      expect(ports()).toContain(1);
    });
  });
});
