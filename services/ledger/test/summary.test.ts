import { randomUUIDv7 } from "node:crypto";
import { type Transaction, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  PartyRole,
  type SummarizeTransactionsRequestSchema,
  SummaryKey,
  type TransactionSummary,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { faultsOf, reasonOf } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, type Timestamp, timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLedger, type TestLedger } from "./server.ts";

type Asked = MessageInitShape<typeof SummarizeTransactionsRequestSchema>;

const HOUR_MS = 3_600_000;
const FIRST_MS = Date.parse("2026-03-01T20:00:00Z");
let nowMs = FIRST_MS;
let market: TestLedger;
/** All there are. */
let all: readonly Transaction[];

beforeAll(async () => {
  market = await startLedger({ now: () => new Date(nowMs) });
  const operator = market.as("operator").ledger;
  const auction = market.as("service:auction").ledger;
  for (const owner of ["ann", "bob"]) {
    for (const currencyCode of ["EUR", "USD"]) {
      const amount = { micros: 10_000n, currencyCode };
      await operator.deposit({ depositId: randomUUIDv7(), owner, amount });
    }
  }
  for (let nth = 0; nth < 18; nth++) {
    const [payer, provider] = nth % 2 === 0 ? ["ann", "bob"] : ["bob", "cid"];
    const transactionId = randomUUIDv7();
    const amount = { micros: BigInt(100 + nth), currencyCode: nth % 4 === 3 ? "USD" : "EUR" };
    const capability = nth % 5 === 0 ? "draw" : "translate";
    await auction.recordTransaction({ transactionId, payer, provider, capability, amount });
    nowMs += HOUR_MS;
    if (nth % 3 === 0) await auction.settleTransaction({ transactionId });
    if (nth % 6 === 1) await auction.cancelTransaction({ transactionId });
    if (nth % 9 === 0) await auction.flagDispute({ transactionId });
  }
  const disputed = await operator.listTransactions({ state: TransactionState.DISPUTED });
  const [{ transactionId = "" } = {}] = disputed.transactions;
  await operator.resolveDispute({ transactionId, providerShareBps: 5_000, reason: "half" });
  const found: Transaction[] = [];
  for await (const { transaction } of operator.exportHistory({})) {
    if (transaction !== undefined) found.push(transaction);
  }
  all = found;
});

afterAll(() => market[Symbol.asyncDispose]());

async function summed(request: Asked, principal = "auditor"): Promise<TransactionSummary[]> {
  const { ledger } = market.as(principal);
  const found: TransactionSummary[] = [];
  for (let pageToken = ""; ; ) {
    const page = await ledger.summarizeTransactions({ ...request, pageToken });
    found.push(...page.summaries);
    if (page.nextPageToken === "") return found;
    pageToken = page.nextPageToken;
  }
}

const recordedMs = ({ createTime }: Transaction) => timestampMs(createTime as Timestamp);

/** What the sums should be, by a plain fold. */
function folded(chosen: readonly Transaction[], keyOf: (one: Transaction) => string) {
  const groups = Map.groupBy(chosen, (one) => `${keyOf(one)} ${one.amount?.currencyCode}`);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, ones]) => ({
      key,
      states: [1, 2, 3, 4].flatMap((state) => {
        const within = ones.filter((one) => one.state === state);
        const amount = within.reduce((sum, one) => sum + (one.amount?.micros ?? 0n), 0n);
        return within.length === 0 ? [] : [`${state}: ${within.length} of ${amount}`];
      }),
      revenue: ones.reduce((sum, one) => sum + (one.settledAmount?.micros ?? 0n), 0n),
      disputed: ones.filter((one) => one.dispute !== undefined).length,
      open: ones.filter((one) => one.state === TransactionState.DISPUTED).length,
    }));
}

function told(summaries: readonly TransactionSummary[]) {
  return summaries.map((one) => ({
    key: `${one.key} ${one.currencyCode}`,
    states: one.states.map(
      ({ state, transactions, amountMicros }) => `${state}: ${transactions} of ${amountMicros}`,
    ),
    revenue: BigInt(one.revenueMicros),
    disputed: Number(one.disputesOpened),
    open: Number(one.disputesOpen),
  }));
}

const utcDay = (one: Transaction) => new Date(recordedMs(one)).toISOString().slice(0, 10);

test.each([
  ["nothing", SummaryKey.UNSPECIFIED, () => ""],
  ["provider", SummaryKey.PROVIDER, (one: Transaction) => one.provider],
  ["payer", SummaryKey.PAYER, (one: Transaction) => one.payer],
  ["capability", SummaryKey.CAPABILITY, (one: Transaction) => one.capability],
  ["day", SummaryKey.DAY, utcDay],
])("sums by %s are those of the transactions, on any pages", async (_name, key, keyOf) => {
  const wanted = folded(all, keyOf);

  expect(wanted.length).toBeGreaterThan(1);
  expect(told(await summed({ key }))).toEqual(wanted);
  expect(told(await summed({ key, pageSize: 1 }))).toEqual(wanted);
});

test("sums of whatever range, capability, side and key are those of a plain fold", async () => {
  const keys = new Map<SummaryKey, (one: Transaction) => string>([
    [SummaryKey.UNSPECIFIED, () => ""],
    [SummaryKey.PROVIDER, (one) => one.provider],
    [SummaryKey.PAYER, (one) => one.payer],
    [SummaryKey.CAPABILITY, (one) => one.capability],
    [SummaryKey.DAY, utcDay],
  ]);
  const hours = fc.tuple(fc.integer({ min: -1, max: 19 }), fc.integer({ min: 1, max: 20 }));
  const asked = fc.record({
    key: fc.constantFrom(...keys.keys()),
    hours,
    capability: fc.constantFrom("", "draw", "translate"),
    side: fc.constantFrom(undefined, "payer", "provider"),
    agentId: fc.constantFrom("ann", "bob", "cid"),
  });
  await fc.assert(
    fc.asyncProperty(asked, async ({ key, hours: [first, count], capability, side, agentId }) => {
      const [from, until] = [FIRST_MS + first * HOUR_MS, FIRST_MS + (first + count) * HOUR_MS];
      const role = side === "payer" ? PartyRole.PAYER : PartyRole.PROVIDER;
      const sums = await summed({
        ...{ key, capability, ...(side && { agentId, role }) },
        ...{
          startTime: timestampFromDate(new Date(from)),
          endTime: timestampFromDate(new Date(until)),
        },
      });
      const chosen = all.filter(
        (one) =>
          recordedMs(one) >= from &&
          recordedMs(one) < until &&
          (capability === "" || one.capability === capability) &&
          (side === undefined || one[side] === agentId),
      );
      expect(told(sums)).toEqual(folded(chosen, keys.get(key) ?? (() => "")));
    }),
    { numRuns: 50 },
  );
});

test("days begin where the clocks of the zone say", async () => {
  const tokyo = (one: Transaction) =>
    new Date(recordedMs(one) + 9 * HOUR_MS).toISOString().slice(0, 10);

  const sums = await summed({ key: SummaryKey.DAY, timeZone: "Asia/Tokyo" });

  expect(told(sums)).toEqual(folded(all, tokyo));
});

test("only the range, the capability and the side that are asked for count", async () => {
  const [from, until] = [FIRST_MS + 3 * HOUR_MS, FIRST_MS + 11 * HOUR_MS];
  const chosen = all.filter(
    (one) =>
      recordedMs(one) >= from &&
      recordedMs(one) < until &&
      one.capability === "translate" &&
      one.provider === "bob",
  );
  const asked: Asked = {
    key: SummaryKey.PAYER,
    agentId: "bob",
    role: PartyRole.PROVIDER,
    capability: "translate",
    startTime: timestampFromDate(new Date(from)),
    endTime: timestampFromDate(new Date(until)),
  };

  expect(chosen.length).toBeGreaterThan(1);
  expect(told(await summed(asked))).toEqual(folded(chosen, (one) => one.payer));
  expect(told(await summed(asked, "agent:bob"))).toEqual(folded(chosen, (one) => one.payer));
});

test("the mean time to settle is that of what was settled", async () => {
  const sums = await summed({ key: SummaryKey.CAPABILITY });
  const means = sums.map(({ meanSettleTime }) => meanSettleTime && durationMs(meanSettleTime));

  expect(new Set(means)).toEqual(new Set([HOUR_MS]));
});

test("a range without transactions has no sums, and the range is told", async () => {
  const endTime = timestampFromDate(new Date(FIRST_MS));

  const page = await market.as("auditor").ledger.summarizeTransactions({ endTime });

  expect(page.summaries).toEqual([]);
  expect(timestampMs(page.startTime as Timestamp)).toBe(FIRST_MS - 30 * 24 * HOUR_MS);
  expect(timestampMs(page.endTime as Timestamp)).toBe(FIRST_MS);
});

const day = (text: string) => timestampFromDate(new Date(text));

test.each<[string, Asked, string]>([
  ["a zone that is none", { timeZone: "Mars/Olympus" }, "time_zone"],
  ["an offset for a zone", { timeZone: "+01:00" }, "time_zone"],
  ["more than a year", { startTime: day("2024-01-01"), endTime: day("2026-01-01") }, "end_time"],
  [
    "an end before its start",
    { startTime: day("2026-02-01"), endTime: day("2026-01-01") },
    "end_time",
  ],
  ["an agent on no side", { agentId: "ann" }, ""],
  ["a side of nobody", { role: PartyRole.PAYER }, ""],
])("%s is refused", async (_name, request, field) => {
  const error = await summed(request).then(undefined, (thrown) => thrown);

  expect(reasonOf(error)).toBe("INVALID_REQUEST");
  expect(faultsOf(error).map((fault) => fault.field)).toEqual([field]);
});

test("an agent sums up its own transactions and no others", async () => {
  const others = summed({ agentId: "ann", role: PartyRole.PAYER }, "agent:bob");

  expect(reasonOf(await others.then(undefined, (error) => error))).toBe("PERMISSION_DENIED");
});
