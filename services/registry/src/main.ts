import { randomBytes, randomUUIDv7 } from "node:crypto";
import { createPool, keepTidy, migrate } from "@bourse/postgres";
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
import { relayOutbox } from "./relay.ts";
import { registryService } from "./service.ts";

const config = readRegistryConfig(process.env);
const schema = "registry";
const pool = createPool(config.DATABASE_URL, { schema, max: config.DATABASE_POOL });

await run({
  name: "registry",
  domain: "bourse.registry",
  config,
  services: [RegistryService],
  migrate: () => migrate(pool, { schema, directory: new URL("../migrations/", import.meta.url) }),
  async build(context) {
    const { logger, metrics, now, defer } = context;
    const onFault = (err: unknown, what: string) => logger.warn({ event: "fault", err }, what);
    const store = createPostgresStore(pool);
    const onAway = (err: unknown) => onFault(err, "Redis is away");
    const availability = defer(
      config.REDIS_URL === undefined
        ? createMemoryAvailability({ now })
        : await createRedisAvailability({ url: config.REDIS_URL, now, onFault: onAway }),
    );
    defer(keepTidy({ pool, onFault: (err) => onFault(err, "old requests stay for now") }));
    const onLost = (err: unknown) => onFault(err, "the listening connection was lost");
    const feed = defer(createFeed({ pool, channel: "registry_agents", onFault: onLost }));
    const tell = tellLog(logger);
    const relay = relayOutbox(context, config, { pool, availability, tell });
    const service = registryService({
      store,
      availability,
      feed,
      now,
      newId: randomUUIDv7,
      newAlias: () => `erased-${randomBytes(12).toString("hex")}`,
      tell,
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
await pool.end();
