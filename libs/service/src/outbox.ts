import type { Relay } from "@bourse/postgres";
import type { Metrics } from "@bourse/telemetry";

/** Declares what is measured of an outbox, alike for every service that has one. */
export function measureOutbox(metrics: Metrics, relay: Pick<Relay, "depth">): void {
  metrics.collect(
    "marketplace_outbox_messages",
    "Messages to other services that wait, or were refused for good",
    ["state"],
    async () => {
      const { pending, parked } = await relay.depth();
      return [
        { labels: { state: "pending" }, value: pending },
        { labels: { state: "parked" }, value: parked },
      ];
    },
  );
  metrics.collect(
    "marketplace_outbox_oldest_age_seconds",
    "Age of the oldest message that waits",
    [],
    async () => (await relay.depth()).oldestAgeSeconds,
  );
}
