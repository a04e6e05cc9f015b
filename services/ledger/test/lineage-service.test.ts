import { AccountStatus } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { faultsOf, reasonOf } from "@bourse/rpc";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLedger, type TestLedger } from "./server.ts";

const NOW = new Date("2026-11-21T12:00:00.000Z");
const DAY_MS = 86_400_000;

let market: TestLedger;
beforeAll(async () => {
  market = await startLedger({ now: () => NOW });
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

function anEvent(eventId: string, eventTime = NOW) {
  return {
    eventId,
    type: "task_awarded",
    eventTime: timestampFromDate(eventTime),
    subjects: { winner: "ann" },
    taskId: `task-of-${eventId}`,
    payload: { price_micros: "2500000" },
  };
}

describe("the record over gRPC", () => {
  test("names the service that told, hides subjects, and gives back what was told", async () => {
    const { lineage } = market.as("service:registry");

    const head = await lineage.appendEvents({ events: [anEvent("told")] });
    const { events } = await lineage.queryEvents({ taskId: "task-of-told" });

    expect(events).toMatchObject([
      {
        sequence: 1n,
        batch: head.headSequence,
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        eventId: "told",
        source: "registry",
        recordTime: timestampFromDate(NOW),
        payload: { price_micros: "2500000" },
      },
    ]);
    expect(Object.keys(events[0]?.subjects ?? {})).toEqual(["winner"]);
    expect(events[0]?.subjects["winner"]).not.toContain("ann");
  });

  test("tells of each limit and status that an account was given, once, under its owner's pseudonym", async () => {
    const { ledger } = market.as("operator");
    const owner = "limited-office";
    const limit = (micros: bigint) =>
      ledger.setCreditLimit({ owner, creditLimit: { micros, currencyCode: "EUR" } });
    const set = (status: AccountStatus) =>
      ledger.setAccountStatus({ owner, currencyCode: "EUR", status });
    await limit(500n);
    await limit(500n);
    await limit(0n);
    await limit(500n);
    await set(AccountStatus.FROZEN);
    await set(AccountStatus.OPEN);

    const { events } = await market.as("auditor").lineage.queryEvents({ subject: owner });

    const account = expect.stringMatching(/^[0-9]+$/);
    const of = { account, currency_code: "EUR" };
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      ["credit_limit_set", { ...of, credit_limit_micros: "500" }],
      ["credit_limit_set", { ...of, credit_limit_micros: "0" }],
      ["credit_limit_set", { ...of, credit_limit_micros: "500" }],
      ["account_status_set", { ...of, status: "FROZEN" }],
      ["account_status_set", { ...of, status: "OPEN" }],
    ]);
    expect(events.map(({ source }) => source)).toEqual(events.map(() => "ledger"));
    expect(Object.keys(events[0]?.subjects ?? {})).toEqual(["owner"]);
    expect((await market.as("auditor").lineage.verifyChain({})).ok).toBe(true);
  });

  test("without a start time lists the seven days before the end or now", async () => {
    const { lineage } = market.as("service:auction");
    const old = new Date(NOW.getTime() - 8 * DAY_MS);
    await lineage.appendEvents({ events: [anEvent("old", old), anEvent("new")] });
    const ids = async (query: Parameters<typeof lineage.queryEvents>[0]) =>
      (await lineage.queryEvents({ source: "auction", ...query })).events.map((e) => e.eventId);

    expect(await ids({})).toEqual(["new"]);
    expect(await ids({ endTime: timestampFromDate(NOW) })).toEqual([]);
    const oldEnd = timestampFromDate(new Date(old.getTime() + DAY_MS));
    expect(await ids({ endTime: oldEnd })).toEqual(["old"]);
    expect(await ids({ startTime: timestampFromDate(new Date(0)) })).toEqual(["old", "new"]);
  });

  test("gives pages that neither repeat nor skip, also of payloads too large for one answer", async () => {
    const { lineage } = market.as("service:discovery");
    const payload = { text: "x".repeat(16_000) };
    const ids = Array.from({ length: 90 }, (_, nth) => `large/${nth}`);
    await lineage.appendEvents({ events: ids.map((id) => ({ ...anEvent(id), payload })) });

    const found: string[] = [];
    let pages = 0;
    for (let pageToken = ""; pages < 50; ) {
      const page = await lineage.queryEvents({ source: "discovery", pageSize: 1_000, pageToken });
      found.push(...page.events.map((event) => event.eventId));
      pages += 1;
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }

    expect(found).toEqual(ids);
    expect(pages).toBeGreaterThan(1);
  });

  test.each([
    ["a payload above 16 KiB", { payload: { text: "x".repeat(16_400) } }, "events[0].payload"],
    ["a payload with NaN", { payload: { n: Number.NaN } }, "events[0].payload"],
    ["a task id with U+0000", { taskId: "a\0" }, "events[0].task_id"],
    ["no time", { eventTime: undefined }, "events[0].event_time"],
    ["a type in capitals", { type: "Task" }, "events[0].type"],
  ])("refuses %s and names the field", async (_case, change, field) => {
    const { lineage } = market.as("service:auction");
    const event = { ...anEvent("faulty"), ...change };

    const error: unknown = await lineage.appendEvents({ events: [event as never] }).then(
      () => undefined,
      (thrown) => thrown,
    );

    expect(reasonOf(error)).toBe("INVALID_REQUEST");
    expect(faultsOf(error).map((fault) => fault.field)).toEqual([field]);
  });

  test("refuses personal data wherever it stands, names every place, and records none of it", async () => {
    const { lineage } = market.as("service:auction");
    const payload = { contact: { email: "ada@example.org" }, "+4915112345678": true };
    const events = [
      anEvent("clean"),
      { ...anEvent("dirty/1"), payload },
      { ...anEvent("dirty/DE89370400440532013000"), taskId: "212-555-0123" },
    ];

    const error: unknown = await lineage.appendEvents({ events }).then(
      () => undefined,
      (thrown) => thrown,
    );
    const { events: kept } = await lineage.queryEvents({ taskId: "task-of-clean" });

    expect(reasonOf(error)).toBe("INVALID_REQUEST");
    expect(faultsOf(error).map(({ field, description }) => `${field} ${description}`)).toEqual([
      "events[1].payload.contact.email must not hold an e-mail address",
      "events[1].payload[name 1] must not hold a phone number",
      "events[2].event_id must not hold an IBAN",
      "events[2].task_id must not hold a phone number",
    ]);
    expect(String(error)).not.toMatch(/ada@|\+49|DE89|555/);
    expect(kept).toEqual([]);
  });

  test.each([
    ["agent:ann", "appendEvents"],
    ["operator", "appendEvents"],
    ["agent:ann", "queryEvents"],
    ["service:auction", "verifyChain"],
  ] as const)("refuses %s to %s", async (principal, method) => {
    const { lineage } = market.as(principal);
    const calls = {
      appendEvents: () => lineage.appendEvents({ events: [anEvent("mine")] }),
      queryEvents: () => lineage.queryEvents({}),
      verifyChain: () => lineage.verifyChain({}),
    };

    await expect(calls[method]()).rejects.toSatisfy((e) => reasonOf(e) === "PERMISSION_DENIED");
  });

  test("verifies after all of this", async () => {
    const { lineage } = market.as("auditor");

    expect(await lineage.verifyChain({})).toMatchObject({ ok: true, entries: 98n, fault: "" });
    expect(market.finished.filter((call) => call.error !== undefined)).toEqual([]);
  });
});
