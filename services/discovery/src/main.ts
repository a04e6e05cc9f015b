import { once } from "node:events";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { createRoster } from "@bourse/roster";
import { bind, dial } from "@bourse/rpc";
import { readConfig, run } from "@bourse/service";
import { variables } from "./config.ts";
import { events } from "./events.ts";
import { createMemoryRotation } from "./memory.ts";
import { discoveryMetrics } from "./metrics.ts";
import { createPicks } from "./picks.ts";
import { connectRedis, createRedisRotation } from "./redis.ts";
import { CODES } from "./rejections.ts";
import { discoveryService } from "./service.ts";

const RECENT_MS = 60_000;

const config = readConfig(variables, process.env);

await run({
  name: "discovery",
  domain: "bourse.discovery",
  config,
  services: [DiscoveryService],
  async build({ logger, metrics, now, signal, token, defer }) {
    const tell = events(logger);
    const startedMs = now().getTime();
    const channel = defer(dial({ address: config.BOURSE_REGISTRY_ADDRESS, token }));
    const roster = defer(
      createRoster({
        channel,
        now,
        onError: (error) => tell("roster_lost", { agents: roster.size, reason: String(error) }),
      }),
    );
    await Promise.race([roster.ready, once(signal, "abort")]);
    signal.throwIfAborted();
    tell("roster_ready", { agents: roster.size, ms: now().getTime() - startedMs });

    const rotation =
      config.REDIS_URL === undefined
        ? createMemoryRotation()
        : defer(
            createRedisRotation({
              redis: connectRedis(config.REDIS_URL),
              now,
              onLost: (error) => tell("rotation_alone", { reason: String(error) }),
              onBack: () => tell("rotation_shared", {}),
            }),
          );
    const impl = discoveryService({
      roster,
      rotation,
      picks: createPicks(RECENT_MS),
      metrics: discoveryMetrics(metrics, roster),
      now,
      random: Math.random,
    });
    return { bindings: [bind(DiscoveryService, impl)], codes: CODES };
  },
});
