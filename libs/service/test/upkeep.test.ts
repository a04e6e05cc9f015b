import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Pool } from "@bourse/postgres";
import { type TestDatabase, testDatabase } from "@bourse/postgres/testing";
import { createMetrics } from "@bourse/telemetry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keepTidy, measureOutbox } from "../src/upkeep.ts";

const DAY_MS = 86_400_000;

let database: TestDatabase;
beforeAll(async () => {
  const directory = pathToFileURL(`${await mkdtemp(join(tmpdir(), "upkeep-"))}/`);
  database = await testDatabase({ schema: "upkeep", directory });
});
afterAll(() => database[Symbol.asyncDispose]());

async function remember(pool: Pool, id: string, at: Date): Promise<void> {
  await pool.query(
    `insert into requests (principal, id, method, fingerprint, created_at)
     values ('operator', $1, 'm', '', $2)`,
    [id, at],
  );
}

async function remembered(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>("select id from requests order by id");
  return rows.map((row) => row.id);
}

test("requests are forgotten after a week, at once and again", async () => {
  const { pool } = database;
  let nowMs = Date.parse("2026-11-20T12:00:00Z");
  await remember(pool, "eight days", new Date(nowMs - 8 * DAY_MS));
  await remember(pool, "six days", new Date(nowMs - 6 * DAY_MS));

  await using _ = keepTidy({
    pool,
    now: () => new Date(nowMs),
    onFault: (error) => expect.unreachable(String(error)),
    everyMs: 20,
  });
  await expect.poll(() => remembered(pool)).toEqual(["six days"]);
  nowMs += 2 * DAY_MS;

  await expect.poll(() => remembered(pool)).toEqual([]);
});

test("a database that is away is told of and does no harm", async () => {
  const faults: unknown[] = [];
  const away = { query: () => Promise.reject(new Error("away")) } as unknown as Pool;

  await using _ = keepTidy({
    pool: away,
    now: () => new Date(),
    onFault: (e) => faults.push(e),
    everyMs: 5,
  });

  await expect.poll(() => faults.length).toBeGreaterThan(1);
});

test("an outbox is measured by state and by the age of its oldest message", async () => {
  const metrics = createMetrics({ service: "any" });
  measureOutbox(metrics, { depth: async () => ({ pending: 3, parked: 1, oldestAgeSeconds: 2.5 }) });

  const text = await metrics.registry.metrics();

  expect(text).toContain('marketplace_outbox_messages{state="pending",service="any"} 3');
  expect(text).toContain('marketplace_outbox_messages{state="parked",service="any"} 1');
  expect(text).toContain('marketplace_outbox_oldest_age_seconds{service="any"} 2.5');
});
