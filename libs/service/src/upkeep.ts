import { forgetRequests, type Pool, type Relay } from "@bourse/postgres";
import type { Metrics } from "@bourse/telemetry";

/** Requests are remembered for a week. */
const MEMORY_MS = 604_800_000;
const HOUR_MS = 3_600_000;

/**
 * Forgets requests that are older than a week, at once and then every hour, until it is disposed. All replicas of a
 * service may.
 */
export function keepTidy(options: {
  /** Its search path is the schema whose requests are forgotten. */
  readonly pool: Pool;
  readonly now: () => Date;
  /** Told when it could not be done; it is tried again an hour later. */
  readonly onFault: (error: unknown) => void;
  /** 3,600,000 when absent. */
  readonly everyMs?: number;
}): AsyncDisposable {
  const { pool, now, onFault, everyMs = HOUR_MS } = options;
  let running: Promise<void> | undefined;

  async function tidy(): Promise<void> {
    try {
      await forgetRequests(pool, new Date(now().getTime() - MEMORY_MS));
    } catch (error) {
      onFault(error);
    }
    running = undefined;
  }

  running = tidy();
  const timer = setInterval(() => {
    running ??= tidy();
  }, everyMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
    },
  };
}

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
