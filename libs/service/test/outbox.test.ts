import { createMetrics } from "@bourse/telemetry";
import { expect, test } from "vitest";
import { measureOutbox } from "../src/outbox.ts";

test("an outbox is measured by state and by the age of its oldest message", async () => {
  const metrics = createMetrics({ service: "any" });
  measureOutbox(metrics, { depth: async () => ({ pending: 3, parked: 1, oldestAgeSeconds: 2.5 }) });

  const text = await metrics.registry.metrics();

  expect(text).toContain('marketplace_outbox_messages{state="pending",service="any"} 3');
  expect(text).toContain('marketplace_outbox_messages{state="parked",service="any"} 1');
  expect(text).toContain('marketplace_outbox_oldest_age_seconds{service="any"} 2.5');
});
