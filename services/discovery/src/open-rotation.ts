import { connectRedis } from "@bourse/service/redis";
import type { events } from "./events.ts";
import { createMemoryRotation } from "./memory.ts";
import { COMMAND_MS, createRedisRotation } from "./redis.ts";
import type { Rotation } from "./rotation.ts";

/** Opens the rotation that is shared over a Redis, or one of this process alone; tells when Redis is lost and back. */
export async function openRotation(
  url: string | undefined,
  now: () => Date,
  tell: ReturnType<typeof events>,
): Promise<Rotation & Disposable> {
  if (url === undefined) return { ...createMemoryRotation(), [Symbol.dispose]: () => {} };
  return createRedisRotation({
    redis: await connectRedis(url, { commandMs: COMMAND_MS }),
    now,
    onLost: (error, node) => tell("rotation_alone", { reason: String(error), node }),
    onBack: (node) => tell("rotation_shared", { node }),
  });
}
