import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { createRoster } from "@bourse/roster";
import { bind, client, dial } from "@bourse/rpc";
import { runWorkers } from "@bourse/service";
import { readVariables } from "./config.ts";
import { events, tellStaleness } from "./events.ts";
import { discoveryMetrics } from "./metrics.ts";
import { openRotation } from "./open-rotation.ts";
import { CODES } from "./rejections.ts";
import { marketOf } from "./roster.ts";
import { discoveryService } from "./service.ts";

const ADVANCE_MS = 100;

const { selectAgent, searchAgents, recommendAgents } = DiscoveryService.method;
const config = readVariables(process.env);

await runWorkers(config.BOURSE_WORKERS, {
  name: "discovery",
  domain: "bourse.discovery",
  config,
  services: [DiscoveryService],
  repeated: [selectAgent, searchAgents, recommendAgents],
  async build({ logger, metrics, now, signal, token, defer }) {
    const tell = events(logger);
    const startedMs = now().getTime();
    const channel = defer(dial({ address: config.BOURSE_REGISTRY_ADDRESS, token }));
    const roster = defer(
      createRoster({
        channel,
        now,
        listed: false,
        onError: (error) => tell("roster_lost", { agents: roster.size, reason: String(error) }),
      }),
    );
    const market = marketOf(roster, { now });
    tellStaleness(roster, tell);
    await Promise.race([roster.ready, once(signal, "abort")]);
    signal.throwIfAborted();
    // Else the places of the snapshot, and what comes due while nobody asks, would all fall on the next one who does.
    market.catchUp();
    defer(setInterval(() => market.advance(now().getTime()), ADVANCE_MS));
    tell("roster_ready", { agents: roster.size, ms: now().getTime() - startedMs });

    const impl = discoveryService({
      roster,
      market,
      rotation: defer(await openRotation(config.REDIS_URL, now, tell)),
      metrics: discoveryMetrics(metrics, roster),
      registry: client(RegistryService, channel),
      newId: randomUUID,
      now,
      random: Math.random,
    });
    return { bindings: [bind(DiscoveryService, impl)], codes: CODES };
  },
});
