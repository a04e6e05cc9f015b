import { Rejection } from "@bourse/rpc/rejection";
import { Cluster, Redis } from "ioredis";
import { COUNTED, SCRIPTS } from "./scripts.ts";

/** A connection to one Redis or to a cluster. */
export type RedisClient = Redis | Cluster;

/** The connection that all stores of a replica share; disposing of it closes it. */
export interface RedisConnection extends Disposable {
  readonly client: RedisClient;
}

const COMMAND_MS = 1_000;
const RECONNECT_MS_MAX = 2_000;

/**
 * Connects to `redis://host:port`, or to a cluster when several URLs stand there, separated by commas. When Redis is
 * away, commands fail at once and it goes on trying; `onFault` is told. Commands that come while others are under way
 * are sent together, in one pipeline per node.
 */
export async function connectRedis(
  url: string,
  onFault: (error: unknown) => void = () => {},
): Promise<RedisConnection> {
  const connection = {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_MS,
    connectTimeout: COMMAND_MS * 2,
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(times * 100, RECONNECT_MS_MAX),
  };
  const nodes = url.split(",");
  const client: RedisClient =
    nodes.length === 1
      ? new Redis(url, { ...connection, scripts: SCRIPTS })
      : new Cluster(nodes, {
          lazyConnect: true,
          enableOfflineQueue: false,
          enableAutoPipelining: true,
          // ioredis finds a command's node by its first argument, which is a count here.
          autoPipeliningIgnoredCommands: COUNTED,
          clusterRetryStrategy: connection.retryStrategy,
          redisOptions: connection,
          scripts: SCRIPTS,
        });
  client.on("error", onFault);
  // It goes on trying by itself.
  await client.connect().catch(() => {});
  return { client, [Symbol.dispose]: () => client.disconnect() };
}

/** What callers are refused with while Redis is away. */
export interface Away {
  readonly reason: string;
  readonly text: string;
}

/**
 * Runs what needs Redis.
 * @throws Rejection as `away` has it when that fails
 */
export async function available<T>(away: Away, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const rejection = new Rejection(away.reason, away.text, { retryAfterMs: 1_000 });
    rejection.cause = cause;
    throw rejection;
  }
}
