import { Rejection } from "@bourse/rpc/rejection";
import { connectRedis as connect, type RedisClient } from "@bourse/service/redis";
import { SCRIPTS } from "./scripts.ts";

/** The connection that all stores of a replica share; disposing of it closes it. */
export interface RedisConnection extends Disposable {
  readonly client: RedisClient;
}

const COMMAND_MS = 1_000;
const RECONNECT_MS_MAX = 2_000;

/**
 * Connects to one Redis or to a cluster. When it is away, commands fail at once and it goes on trying; `onFault` is
 * told. Commands to one Redis that come while others are under way are sent together.
 */
export async function connectRedis(
  url: string,
  onFault: (error: unknown) => void = () => {},
): Promise<RedisConnection> {
  const single = {
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times: number) => Math.min(times * 100, RECONNECT_MS_MAX),
  };
  const client = await connect(url, { commandMs: COMMAND_MS, scripts: SCRIPTS, single, onFault });
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
