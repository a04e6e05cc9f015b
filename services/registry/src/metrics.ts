import type { Metrics } from "@bourse/telemetry";
import type { Arrival } from "./agent.ts";
import { stateOf } from "./availability.ts";
import type { AvailabilityStore } from "./availability-store.ts";
import type { RegistryStore } from "./store.ts";

/** What the handlers count. */
export interface RegistryMetrics {
  registered(arrival: Arrival, agents: number): void;
  outcomeRecorded(result: "success" | "failure" | "ignored"): void;
}

/** How many capabilities have a series of their own: the most frequent, so that authors cannot flood the metrics. */
const CAPABILITIES_MAX = 100;
const READ_AT_ONCE = 1_000;

/** Declares the metrics of the market that the registry knows. */
export function createRegistryMetrics(
  metrics: Metrics,
  parts: {
    readonly store: RegistryStore;
    readonly availability: AvailabilityStore;
    readonly now: () => Date;
  },
): RegistryMetrics {
  const { store } = parts;
  const registrations = metrics.counter(
    "marketplace_agent_registrations_total",
    "Agents registered, by how they came: new, replaced or returned",
    ["arrival"],
  );
  const outcomes = metrics.counter(
    "marketplace_agent_outcomes_total",
    "Outcomes recorded, by result: success, failure or ignored (of work ordered by the agent itself)",
    ["result"],
  );
  metrics.collect("marketplace_agents_registered", "Agents registered now", [], async () => {
    const { registered } = await store.summarize();
    return registered;
  });
  metrics.collect("marketplace_agents_online", "Agents that take work now", [], () =>
    countOnline(parts),
  );
  metrics.collect(
    "marketplace_agent_reputation_score",
    "Mean score of the registered agents that have worked, 0 to 5",
    [],
    async () => {
      const { meanScore } = await store.summarize();
      return meanScore;
    },
  );
  metrics.collect(
    "marketplace_capability_agents",
    "Registered agents per capability, of the most frequent capabilities",
    ["capability"],
    async () => {
      const { capabilities } = await store.countCapabilities();
      return capabilities.slice(0, CAPABILITIES_MAX).map(({ capability, agents }) => {
        return { labels: { capability }, value: Number(agents) };
      });
    },
  );
  return {
    registered: (arrival, agents) => registrations.inc({ arrival }, agents),
    outcomeRecorded: (result) => outcomes.inc({ result }),
  };
}

async function countOnline(parts: {
  readonly store: RegistryStore;
  readonly availability: AvailabilityStore;
  readonly now: () => Date;
}): Promise<number> {
  const { onlineWithoutLease, leasedOnlineIds } = await parts.store.summarize();
  let online = onlineWithoutLease;
  for (let start = 0; start < leasedOnlineIds.length; start += READ_AT_ONCE) {
    const presences = await parts.availability.read(
      leasedOnlineIds.slice(start, start + READ_AT_ONCE),
    );
    for (const presence of presences.values()) {
      const declaration = {
        declaredState: "ONLINE",
        leaseMs: 1,
        maxConcurrent: Number.POSITIVE_INFINITY,
        unregisteredAt: undefined,
      } as const;
      if (stateOf(declaration, presence, parts.now()) === "ONLINE") online++;
    }
  }
  return online;
}
