import { createPool, migrate } from "@bourse/postgres";
import { createFeed } from "@bourse/postgres/feed";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { bind } from "@bourse/rpc";
import { run } from "@bourse/service";
import { readRegistryConfig } from "./config.ts";
import { tellLog } from "./events.ts";
import { createMemoryAvailability } from "./memory.ts";
import { createRegistryMetrics } from "./metrics.ts";
import { createPostgresStore } from "./postgres.ts";
import { createRedisAvailability } from "./redis.ts";
import { codes } from "./rejections.ts";
import { relayLineage } from "./relay.ts";
import { registryService } from "./service.ts";

const MIGRATIONS = new URL("../migrations/", import.meta.url);

const config = readRegistryConfig(process.env);

await run({
  name: "registry",
  domain: "bourse.registry",
  config,
  services: [RegistryService],
  async build(context) {
    const { logger, metrics, now, defer } = context;
    const onFault = (err: unknown, what: string) => logger.warn({ event: "fault", err }, what);
    const pool = createPool(config.DATABASE_URL, { schema: "registry", max: config.DATABASE_POOL });
    defer({ [Symbol.asyncDispose]: () => pool.end() });
    await migrate(pool, { schema: "registry", directory: MIGRATIONS });
    const store = createPostgresStore(pool);
    const availability = defer(
      config.REDIS_URL === undefined
        ? createMemoryAvailability({ now })
        : await createRedisAvailability({
            url: config.REDIS_URL,
            now,
            onFault: (error) => onFault(error, "Redis is away"),
          }),
    );
    const onLost = (error: unknown) => onFault(error, "the listening connection was lost");
    const feed = defer(createFeed({ pool, channel: "registry_agents", onFault: onLost }));
    const relay = relayLineage(context, pool, config.BOURSE_LEDGER_ADDRESS);
    const service = registryService({
      store,
      availability,
      feed,
      now,
      tell: tellLog(logger),
      metrics: createRegistryMetrics(metrics, { store, availability, now }),
      committed: () => {
        feed.touch();
        relay?.poke();
      },
      onFault,
    });
    return { bindings: [bind(RegistryService, service)], codes };
  },
});
