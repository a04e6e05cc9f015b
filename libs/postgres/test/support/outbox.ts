import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import {
  enqueue,
  type OutboxMessage,
  type Pool,
  type Relay,
  type RelayOptions,
  startRelay,
} from "../../src/index.ts";
import { type TestDatabase, testDatabase } from "../../src/testing.ts";

/** The hour at which every test begins. */
export const NOON = new Date("2026-11-20T12:00:00Z");

/** A message with a key of its own unless told otherwise. */
export function aMessage(id: string, key = id): OutboxMessage {
  return { id, kind: "paid", key, payload: { id, amount: "12" } };
}

/** A database for the file, with an empty outbox, a clock at noon and no relay for each test. */
export function useOutbox() {
  let database: TestDatabase;
  let relays: Relay[] = [];
  const outbox = {
    now: NOON,
    /** Ids of what relays without a `deliver` of their own have delivered, in order. */
    told: [] as string[],

    get pool(): Pool {
      return database.pool;
    },

    later(ms: number): void {
      outbox.now = new Date(outbox.now.getTime() + ms);
    },

    /** Starts a relay that ends with the test. */
    relay(overrides: Partial<RelayOptions> = {}): Relay {
      const relay = startRelay({
        pool: database.pool,
        deliver: async ({ id }) => {
          outbox.told.push(id);
        },
        now: () => outbox.now,
        random: () => 0,
        pollMs: 20,
        ...overrides,
      });
      relays.push(relay);
      return relay;
    },

    /** Ids of what is in the outbox, in order. */
    async waiting(): Promise<string[]> {
      const { rows } = await database.pool.query("select id from outbox order by position");
      return rows.map((row) => row.id);
    },

    /** The same once the relay has looked at everything again: it has delivered a new message. */
    async waitingAfterAnotherLook(): Promise<string[]> {
      await enqueue(database.pool, [aMessage("probe")], outbox.now);
      await expect.poll(outbox.waiting).not.toContain("probe");
      outbox.told = outbox.told.filter((id) => id !== "probe");
      return outbox.waiting();
    },

    async claims(): Promise<unknown[]> {
      const { rows } = await database.pool.query(
        `select id, claim, attempts
         from outbox join outbox_lanes using (key)
         order by outbox.position`,
      );
      return rows;
    },

    /** Keys that the relays have work with, or think so. */
    async busyKeys(): Promise<string[]> {
      const { rows } = await database.pool.query(
        `select key from outbox_lanes
         union select unnest(coalesce(keys, array[key])) from outbox_arrivals
         order by key`,
      );
      return rows.map((row) => row.key);
    },
  };

  beforeAll(async () => {
    database = await testDatabase({
      schema: "bank",
      directory: new URL("../migrations/", import.meta.url),
    });
  });
  afterAll(() => database[Symbol.asyncDispose]());
  beforeEach(async () => {
    await database.pool.query("truncate outbox, outbox_lanes, outbox_arrivals");
    outbox.now = NOON;
    outbox.told = [];
    relays = [];
  });
  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
  });
  return outbox;
}
