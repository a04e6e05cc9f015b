import type { Roster } from "@bourse/roster";
import type { Metrics } from "@bourse/telemetry";
import type { Strategy } from "./choice.ts";
import type { Order } from "./order.ts";

/** What discovery counts. */
export interface DiscoveryMetrics {
  searched(order: Order, found: number): void;
  selected(strategy: Strategy, outcome: "picked" | "nobody"): void;
  recommended(outcome: "named" | "nobody"): void;
  /** A stream of WatchCandidates was opened, or has ended. */
  watching(change: 1 | -1): void;
  /** A list was told to one of them. */
  listTold(strategy: Strategy): void;
}

/** Declares the metrics of discovery, and gauges that read the roster when they are scraped. */
export function discoveryMetrics(metrics: Metrics, roster: Roster): DiscoveryMetrics {
  const searches = metrics.counter("marketplace_discovery_searches_total", "Searches answered", [
    "order",
    "outcome",
  ]);
  const selections = metrics.counter("marketplace_discovery_selections_total", "Selections asked", [
    "strategy",
    "outcome",
  ]);
  const recommendations = metrics.counter(
    "marketplace_discovery_recommendations_total",
    "Recommendations asked",
    ["outcome"],
  );
  const streams = metrics.gauge(
    "marketplace_discovery_watches",
    "Streams of WatchCandidates that are open",
  );
  streams.set(0);
  const lists = metrics.counter(
    "marketplace_discovery_watched_lists_total",
    "Lists told on streams of WatchCandidates",
    ["strategy"],
  );
  metrics.collect(
    "marketplace_discovery_agents",
    "Agents in the copy of the registry",
    [],
    () => roster.size,
  );
  metrics.collect(
    "marketplace_discovery_roster_current",
    "1 while the copy of the registry is kept current, 0 while the registry is away or silent",
    [],
    () => Number(roster.isCurrent()),
    { ofWorkers: "min" },
  );
  metrics.collect(
    "marketplace_discovery_stale",
    "1 while who is there is as last known, since the registry or its store of leases is away, else 0",
    [],
    () => Number(roster.staleSinceMs() !== undefined),
  );
  metrics.collect(
    "marketplace_discovery_roster_lag_seconds",
    "Time since the registry was last heard, which speaks at least every 15 seconds",
    [],
    () => roster.lagMs() / 1_000,
  );
  // To find a counter by its labels costs more than to count.
  const selectionsOf = new Map<Strategy, Record<"picked" | "nobody", { inc(): void }>>();
  return {
    searched: (order, found) => searches.inc({ order, outcome: found > 0 ? "found" : "nobody" }),
    selected(strategy, outcome) {
      let known = selectionsOf.get(strategy);
      if (known === undefined) {
        const of = (outcome: string) => selections.labels({ strategy, outcome });
        known = { picked: of("picked"), nobody: of("nobody") };
        selectionsOf.set(strategy, known);
      }
      known[outcome].inc();
    },
    recommended: (outcome) => recommendations.inc({ outcome }),
    watching: (change) => streams.inc(change),
    listTold: (strategy) => lists.inc({ strategy }),
  };
}
