import { createHash } from "node:crypto";
import { createPool } from "@bourse/postgres";
import type { TestDatabase } from "@bourse/postgres/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventHash } from "../src/journal.ts";
import type { NewEvent } from "../src/lineage.ts";
import type { EventFilter, LineageStore } from "../src/store.ts";
import { openDatabase, openStores } from "./books.ts";

const NOON = new Date("2026-11-21T12:00:00.000Z");

function anEvent(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    eventId: "bid_submitted/b-1",
    type: "bid_submitted",
    eventTime: NOON,
    subjects: { agent: "ann" },
    taskId: "task-1",
    payload: { price: { micros: "2500000", currency_code: "EUR" }, rank: 1 },
    ...fields,
  };
}

const ALL: EventFilter = {
  types: [],
  subject: undefined,
  taskId: undefined,
  source: undefined,
  from: new Date(0),
  until: undefined,
};

describe("the hash of an event", () => {
  const told = {
    ...anEvent(),
    sequence: 1n,
    source: "auction",
    recordTime: new Date("2026-11-21T12:00:01.500Z"),
  };

  test("can be recomputed by a stranger from the words of the contract", () => {
    const text =
      `{"event_id":"bid_submitted/b-1","event_time":"2026-11-21T12:00:00.000Z",` +
      `"payload":{"price":{"currency_code":"EUR","micros":"2500000"},"rank":1},` +
      `"record_time":"2026-11-21T12:00:01.500Z",` +
      `"sequence":"1","source":"auction","subjects":{"agent":"ann"},"task_id":"task-1",` +
      `"type":"bid_submitted"}`;

    const hash = createHash("sha256").update(Buffer.of(0)).update(text, "utf8").digest();

    expect(eventHash(told)).toEqual(hash);
  });

  test.each([
    { eventId: "x" },
    { type: "x" },
    { eventTime: new Date(1) },
    { recordTime: new Date(1) },
    { source: "x" },
    { subjects: { agent: "bob" } },
    { subjects: { other: "ann" } },
    { taskId: "x" },
    { payload: { rank: 2 } },
    { payload: undefined },
    { sequence: 2n },
  ])("is another with %o", (change) => {
    expect(eventHash({ ...told, ...change })).not.toEqual(eventHash(told));
  });
});

describe("the record", () => {
  let database: TestDatabase;
  let lineage: LineageStore;
  beforeAll(async () => {
    database = await openDatabase();
    lineage = openStores(database, () => NOON).lineage;
  });
  beforeEach(async () => {
    await tamper(
      `truncate lineage_events, movement_pages, movement_rows, batches, journal_head, pseudonyms;
       insert into journal_head (sequence, hash, events) values (0, decode(repeat('00', 32), 'hex'), 0)`,
    );
  });
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
  });
  /** Does to the tables what their triggers refuse. */
  const tamper = (statement: string) =>
    database.pool.query(`
      begin;
      set local session_replication_role = replica;
      ${statement};
      commit`);

  const numbered = (nth: number) => anEvent({ eventId: `e/${nth}`, payload: { nth } });

  test("puts events in the order they are told, each behind the one before", async () => {
    const head = await lineage.append("auction", [numbered(1), numbered(2)], {});
    const next = await lineage.append("registry", [numbered(3)], {});

    const events = await lineage.query(ALL, 0n, 10, {});

    expect(events.map(({ sequence, eventId, source }) => [sequence, eventId, source])).toEqual([
      [1n, "e/1", "auction"],
      [2n, "e/2", "auction"],
      [3n, "e/3", "registry"],
    ]);
    expect(events.map(({ batch, nth }) => [batch, nth])).toEqual([
      [1n, 0],
      [1n, 1],
      [2n, 0],
    ]);
    expect([head, next].map(({ sequence }) => sequence)).toEqual([1n, 2n]);
  });

  test("skips what it has, also twice in one call, and refuses an id with other content, whole", async () => {
    const first = await lineage.append("auction", [numbered(1), numbered(1)], {});
    const again = await lineage.append("auction", [numbered(1)], {});
    const reused = lineage.append("auction", [numbered(2), { ...numbered(1), taskId: "x" }], {});

    await expect(reused).rejects.toMatchObject({
      reason: "EVENT_ID_REUSED",
      metadata: { eventId: "e/1" },
    });
    expect(first.sequence).toBe(1n);
    expect(again).toEqual(first);
    expect(await lineage.query(ALL, 0n, 10, {})).toHaveLength(1);
  });

  test.each([
    ["told of an agent that was never heard of", "auction", { subjects: { agent: "carl" } }],
    ["told of an agent that is known by another event", "auction", { subjects: { agent: "bob" } }],
    ["told of an agent in another part", "auction", { subjects: { winner: "ann" } }],
    ["told by another service", "registry", {}],
  ])("refuses an id that comes back %s", async (_case, source, change) => {
    const other = anEvent({ eventId: "other", subjects: { agent: "bob" } });
    await lineage.append("auction", [anEvent(), other], {});

    const reused = lineage.append(source, [anEvent(change)], {});

    await expect(reused).rejects.toMatchObject({ reason: "EVENT_ID_REUSED" });
  });

  test("takes an event for told before when its subject was erased and has come back since", async () => {
    await lineage.append("auction", [anEvent()], {});
    await database.pool.query("delete from pseudonyms where subject = 'ann'");
    const next = await lineage.append("auction", [anEvent({ eventId: "later" })], {});

    expect(await lineage.append("auction", [anEvent()], {})).toEqual(next);
  });

  test("keeps times of long ago as they are, wherever it runs", async () => {
    const eventTime = new Date("1890-01-01T00:00:00.123Z");
    const zone = process.env["TZ"];
    try {
      process.env["TZ"] = "Europe/Amsterdam";
      await lineage.append("auction", [anEvent({ eventTime })], {});
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }

    expect((await lineage.verifyChain({})).broken).toBeUndefined();
  });

  test("makes one chain of what many tell at once", async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, nth) =>
        lineage.append("auction", [numbered(nth), numbered(nth + 1)], {}),
      ),
    );

    expect(await lineage.verifyChain({})).toMatchObject({ entries: 31n, broken: undefined });
  });

  test("makes one chain, and one pseudonym of an agent, of what two processes tell", async () => {
    const pool = createPool(database.url, { schema: "ledger", max: 4 });
    const other = openStores({ ...database, pool }).lineage;

    await Promise.all(
      Array.from({ length: 30 }, (_, nth) =>
        (nth % 2 === 0 ? lineage : other).append("auction", [numbered(nth)], {}),
      ),
    );
    await pool.end();

    const events = await lineage.query(ALL, 0n, 100, {});
    expect(new Set(events.map(({ subjects }) => subjects["agent"])).size).toBe(1);
    expect(await lineage.verifyChain({})).toMatchObject({ entries: 30n, broken: undefined });
  });

  test("knows an agent by one pseudonym, which no longer leads to it when its row is deleted", async () => {
    const subjects = { agent: "ann", winner: "ann" };
    await lineage.append("auction", [anEvent({ subjects })], {});

    const known = await lineage.query({ ...ALL, subject: "ann" }, 0n, 10, {});
    await database.pool.query("delete from pseudonyms where subject = 'ann'");
    const erased = await lineage.query({ ...ALL, subject: "ann" }, 0n, 10, {});
    const again = await lineage.append("auction", [anEvent({ subjects })], {});

    expect(known[0]?.subjects["agent"]).toMatch(/^p-/);
    expect(known[0]?.subjects["winner"]).toBe(known[0]?.subjects["agent"]);
    expect(erased).toEqual([]);
    expect(again.sequence).toBe(1n);
    expect((await lineage.verifyChain({})).broken).toBeUndefined();
  });

  test("is filtered by type, subject, task, source and time", async () => {
    const late = new Date(NOON.getTime() + 60_000);
    await lineage.append("auction", [anEvent({ eventId: "1" })], {});
    await lineage.append("registry", [anEvent({ eventId: "2", type: "agent_registered" })], {});
    await lineage.append("auction", [anEvent({ eventId: "3", taskId: "task-2" })], {});
    await lineage.append("auction", [anEvent({ eventId: "4", subjects: { winner: "bob" } })], {});
    await lineage.append("auction", [anEvent({ eventId: "5", eventTime: late })], {});
    const ids = async (filter: Partial<EventFilter>) =>
      (await lineage.query({ ...ALL, ...filter }, 0n, 10, {})).map((event) => event.eventId);

    expect(await ids({ types: ["agent_registered", "other"] })).toEqual(["2"]);
    expect(await ids({ subject: "bob" })).toEqual(["4"]);
    expect(await ids({ subject: "nobody" })).toEqual([]);
    expect(await ids({ taskId: "task-2" })).toEqual(["3"]);
    expect(await ids({ source: "registry" })).toEqual(["2"]);
    expect(await ids({ from: late })).toEqual(["5"]);
    expect(await ids({ until: late })).toEqual(["1", "2", "3", "4"]);
  });

  describe("verified", () => {
    beforeEach(async () => {
      await lineage.append("auction", [1, 2, 3, 4, 5].map(numbered), {});
    });

    test("holds as it is", async () => {
      const report = await lineage.verifyChain({});

      expect(report).toMatchObject({ entries: 5n, head: { sequence: 1n }, broken: undefined });
    });

    test.each<[string, string, string, string]>([
      [
        "a changed payload",
        `update lineage_events set payload = '{"nth":9}' where sequence = 3`,
        "ENTRY_CHANGED",
        "e/3",
      ],
      ["a dropped event", "delete from lineage_events where sequence = 3", "ENTRY_MISSING", ""],
      [
        "a tail that was cut off",
        "delete from lineage_events where sequence > 3",
        "ENTRY_MISSING",
        "",
      ],
      ["a lost head", "delete from journal_head", "HEAD_MISMATCH", ""],
      ["a changed batch", "update batches set recorded_at = now()", "HASH_MISMATCH", ""],
    ])("finds %s", async (_case, statement, fault, entry) => {
      await tamper(statement);

      expect((await lineage.verifyChain({})).broken).toMatchObject({ fault, entry });
    });

    test("its rows refuse to be changed or dropped", async () => {
      for (const statement of [
        "update lineage_events set task_id = 'x'",
        "delete from lineage_events",
        "truncate lineage_events",
      ]) {
        await expect(database.pool.query(statement)).rejects.toMatchObject({
          constraint: "lineage_events_immutable",
        });
      }
    });
  });
});
