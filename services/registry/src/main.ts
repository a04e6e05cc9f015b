import { randomBytes, randomUUIDv7 } from "node:crypto";
import { createPool, migrate } from "@bourse/postgres";
import { createFeed } from "@bourse/postgres/feed";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { bind } from "@bourse/rpc";
import { run } from "@bourse/service";
import { readRegistryConfig } from "./config.ts";
import { tellLog } from "./events.ts";
import { createRegistryMetrics } from "./metrics.ts";
import { createPostgresStore } from "./postgres.ts";
import { queueMutations } from "./queue.ts";
import { codes } from "./rejections.ts";
import { relayOutbox } from "./relay.ts";
import { registryService } from "./service.ts";
import { openShared } from "./shared-state.ts";
import { keepUp } from "./upkeep.ts";

const config = readRegistryConfig(process.env);
const schema = "registry";
const pool = createPool(config.DATABASE_URL, { schema, max: config.DATABASE_POOL, pipeline: true });
// Watchers must not queue behind writers.
const feedPool = createPool(config.DATABASE_URL, { schema, max: 4 });
await run({
  name: "registry",
  domain: "bourse.registry",
  config,
  services: [RegistryService],
  migrate: () => migrate(pool, { schema, directory: new URL("../migrations/", import.meta.url) }),
  async build(context) {
    const { logger, metrics, now, defer } = context;
    const onFault = (err: unknown, what: string) => logger.warn({ event: "fault", err }, what);
    const store = createPostgresStore(pool, feedPool);
    const { availability, breakers } = await openShared(context, config);
    keepUp(context, pool, store, onFault);
    const onLost = (err: unknown) => onFault(err, "the listening connection was lost");
    const feed = defer(createFeed({ pool: feedPool, channel: "registry_agents", onFault: onLost }));
    const tell = tellLog(logger);
    const relay = relayOutbox(context, config, { pool, availability, breakers, tell });
    const service = registryService({
      store,
      mutations: defer(queueMutations({ store, availability, now })),
      availability,
      breakers,
      calibrationLeastPpm: BigInt(config.BOURSE_BREAKER_CALIBRATION_PERCENT) * 10_000n,
      feed,
      now,
      newId: randomUUIDv7,
      newAlias: () => `erased-${randomBytes(12).toString("hex")}`,
      tell,
      metrics: createRegistryMetrics(metrics, { store, availability, breakers, now }),
      committed: () => {
        feed.touch();
        relay?.poke();
      },
      onFault,
    });
    return { bindings: [bind(RegistryService, service)], codes };
  },
});
await Promise.all([pool.end(), feedPool.end()]);
