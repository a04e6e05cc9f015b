import type { ServiceContext } from "@bourse/service";
import type { AvailabilityStore } from "./availability-store.ts";
import type { BreakerStore } from "./breaker-store.ts";
import type { Config } from "./config.ts";
import { createMemoryAvailability } from "./memory.ts";
import { createMemoryBreakers } from "./memory-breakers.ts";
import { createRedisAvailability } from "./redis/availability.ts";
import { createRedisBreakers } from "./redis/breakers.ts";
import { connectRedis } from "./redis/connection.ts";

/** What the replicas share beside the database. */
export interface Shared {
  readonly availability: AvailabilityStore;
  readonly breakers: BreakerStore;
}

/** Opens it in Redis, over one connection, or in memory, which is right for one replica. */
export async function openShared(
  { now, defer, logger }: ServiceContext,
  { REDIS_URL }: Pick<Config, "REDIS_URL">,
): Promise<Shared> {
  if (REDIS_URL === undefined) {
    return {
      availability: defer(createMemoryAvailability({ now })),
      breakers: defer(createMemoryBreakers({ now })),
    };
  }
  const onFault = (err: unknown) => logger.warn({ event: "fault", err }, "Redis is away");
  const redis = defer(await connectRedis(REDIS_URL, onFault));
  return {
    availability: defer(await createRedisAvailability({ redis, now })),
    breakers: defer(await createRedisBreakers({ redis, now })),
  };
}
