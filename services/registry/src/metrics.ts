import type { Metrics } from "@bourse/telemetry";
import type { Arrival } from "./agent.ts";
import { hasLease } from "./availability.ts";
import type { AvailabilityStore } from "./availability-store.ts";
import type { BreakerCause } from "./breaker.ts";
import type { BreakerStore } from "./breaker-store.ts";
import type { RegistryStore } from "./store.ts";

/** What the handlers count. */
export interface RegistryMetrics {
  registered(arrival: Arrival, agents: number): void;
  outcomeRecorded(result: "success" | "failure" | "ignored"): void;
  callReported(result: "success" | "failure" | "timeout", latencyMs: number | undefined): void;
  breakerOpened(cause: BreakerCause): void;
  slotAsked(outcome: "taken" | "full" | "share_taken" | "not_available"): void;
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
    readonly breakers: Pick<BreakerStore, "counts">;
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
  const calls = metrics.counter(
    "marketplace_agent_calls_total",
    "Calls to agents that their callers reported, by result: success, failure or timeout",
    ["result"],
  );
  const latencies = metrics.histogram(
    "marketplace_agent_call_latency_seconds",
    "How long calls to agents took, as their callers reported",
    { labels: ["result"] },
  );
  const opened = metrics.counter(
    "marketplace_breakers_opened_total",
    "Circuit breakers that opened, by what opened them: FAILURE, TIMEOUT or CALIBRATION",
    ["cause"],
  );
  const slots = metrics.counter(
    "marketplace_slots_asked_total",
    "Places at agents that were asked for, by outcome: taken, full, share_taken or not_available",
    ["outcome"],
  );
  metrics.collect(
    "marketplace_availability_lag_seconds",
    "Since when changes of availability could not be read whole; below a second when all is well",
    [],
    () => (parts.now().getTime() - parts.availability.toldUntil().getTime()) / 1_000,
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
  metrics.collect("marketplace_breakers", "Circuit breakers that are not closed", ["state"], () => {
    const { OPEN, HALF_OPEN } = parts.breakers.counts();
    return [
      { labels: { state: "OPEN" }, value: OPEN },
      { labels: { state: "HALF_OPEN" }, value: HALF_OPEN },
    ];
  });
  return {
    registered: (arrival, agents) => registrations.inc({ arrival }, agents),
    outcomeRecorded: (result) => outcomes.inc({ result }),
    callReported(result, latencyMs) {
      calls.inc({ result });
      if (latencyMs !== undefined) latencies.observe({ result }, latencyMs / 1_000);
    },
    slotAsked: (outcome) => slots.inc({ outcome }),
    breakerOpened: (cause) => opened.inc({ cause }),
  };
}

/** Of all leases that hold, those of agents that declare something else are taken away: these are few. */
async function countOnline(parts: {
  readonly store: RegistryStore;
  readonly availability: AvailabilityStore;
  readonly now: () => Date;
}): Promise<number> {
  const { availability, now } = parts;
  const { onlineWithoutLease, leasedElseIds } = await parts.store.summarize();
  let online = onlineWithoutLease + (await availability.countLeases());
  for (let start = 0; start < leasedElseIds.length; start += READ_AT_ONCE) {
    const presences = await availability.read(leasedElseIds.slice(start, start + READ_AT_ONCE));
    for (const presence of presences.values()) if (hasLease(presence, now())) online--;
  }
  return Math.max(0, online);
}
