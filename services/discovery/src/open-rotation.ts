import type { events } from "./events.ts";
import { createMemoryRotation } from "./memory.ts";
import { connectRedis, createRedisRotation } from "./redis.ts";
import type { Rotation } from "./rotation.ts";

/** Opens the rotation that is shared over a Redis, or one of this process alone; tells when Redis is lost and back. */
export function openRotation(
  url: string | undefined,
  now: () => Date,
  tell: ReturnType<typeof events>,
): Rotation & Disposable {
  if (url === undefined) return { ...createMemoryRotation(), [Symbol.dispose]: () => {} };
  return createRedisRotation({
    redis: connectRedis(url),
    now,
    onLost: (error) => tell("rotation_alone", { reason: String(error) }),
    onBack: () => tell("rotation_shared", {}),
  });
}
