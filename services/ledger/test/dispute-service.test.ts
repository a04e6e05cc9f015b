import { randomUUIDv7 } from "node:crypto";
import { Rule, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { DisputeStatus } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { faultsOf, reasonOf } from "@bourse/rpc";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DAY_MS } from "./books.ts";
import { startLedger, type TestLedger } from "./server.ts";

const START = Date.now();
let time = START;
let market: TestLedger;
beforeAll(async () => {
  market = await startLedger({ now: () => new Date(time) });
});
afterAll(() => market?.[Symbol.asyncDispose]());
beforeEach(() => {
  time = START;
});

const eur = (micros: number) => ({ micros: BigInt(micros), currencyCode: "EUR" });
const days = (count: number) => durationFromMs(count * DAY_MS);
const as = (agent: string) => market.as(`agent:${agent}`).ledger;
const operator = () => market.as("operator").ledger;

/** A hold of 400 that the payer recorded itself, with a panel of two. */
async function aHold() {
  const run = randomUUIDv7();
  const payer = `payer-${run}`;
  const provider = `provider-${run}`;
  const [jo, kim] = [`jo-${run}`, `kim-${run}`];
  const transactionId = randomUUIDv7();
  await operator().deposit({ depositId: run, owner: payer, amount: eur(1_000) });
  const request = {
    transactionId,
    payer,
    provider,
    capability: "translate",
    amount: eur(400),
    delivery: { within: days(2), reviewWindow: days(3) },
    arbitration: { arbitrators: [jo, kim], quorum: 2 },
  };
  await as(payer).recordTransaction(request);
  return { payer, provider, jo, kim, transactionId, request };
}

async function refusalOf(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  return { reason: reasonOf(error), fields: faultsOf(error).map(({ field }) => field) };
}

describe("what is agreed", () => {
  test("is refused with every fault of it at once", async () => {
    const { payer, provider, request } = await aHold();
    const wrong = {
      ...request,
      transactionId: randomUUIDv7(),
      holdTimeout: days(1),
      delivery: { within: days(2), reviewWindow: days(400) },
      arbitration: { arbitrators: [payer, provider, "jo", "kim"], quorum: 2 },
    };

    expect(await refusalOf(as(payer).recordTransaction(wrong))).toEqual({
      reason: "INVALID_REQUEST",
      fields: [
        "hold_timeout",
        "delivery.review_window",
        "arbitration.arbitrators[0]",
        "arbitration.arbitrators[1]",
        "arbitration.quorum",
      ],
    });
  });

  test("has the ledger's own windows where nothing was said, and outlasts the delivery", async () => {
    const { payer, request } = await aHold();
    const long = { within: days(90) };
    const { transaction } = await as(payer).recordTransaction({
      ...request,
      transactionId: randomUUIDv7(),
      amount: eur(1),
      delivery: long,
      arbitration: {},
    });

    expect(transaction).toMatchObject({
      holdTimeout: days(90),
      delivery: { within: days(90), reviewWindow: days(3) },
      arbitration: { quorum: 0, evidenceWindow: days(3), rulingWindow: days(7) },
    });
  });
});

describe("a delivery", () => {
  test("says when silence accepts, and silence does", async () => {
    const { provider, transactionId } = await aHold();
    time += DAY_MS;
    const told = { transactionId, sha256: "ab".repeat(32), reference: "https://work.example/1" };

    const first = await as(provider).recordDelivery(told);
    time += DAY_MS;
    const again = await as(provider).recordDelivery(told);
    time += 2 * DAY_MS;
    const { transaction } = await operator().settleTransaction({ transactionId });

    expect(again).toEqual(first);
    expect(first.transaction).toMatchObject({
      state: TransactionState.PENDING,
      delivered: { sha256: told.sha256, reference: told.reference },
    });
    expect(first.transaction?.dueTime).toEqual(timestampFromDate(new Date(START + 4 * DAY_MS)));
    expect(transaction).toMatchObject({
      state: TransactionState.SETTLED,
      endRule: Rule.SILENCE_ACCEPTS,
    });
  });

  test("is timed by the ledger and not by the agent that tells it", async () => {
    const { provider, transactionId } = await aHold();
    const told = { transactionId, latency: days(1) };

    expect(await refusalOf(as(provider).recordDelivery(told))).toEqual({
      reason: "INVALID_REQUEST",
      fields: ["latency"],
    });
  });
});

describe("a dispute", () => {
  test("is ruled by the panel as soon as both sides were heard", async () => {
    const { payer, provider, jo, kim, transactionId } = await aHold();
    const note = (text: string) => [{ note: text, reference: "", sha256: "" }];
    await as(provider).recordDelivery({ transactionId });
    await as(payer).flagDispute({ transactionId, evidence: note("bad") });
    await as(provider).submitEvidence({ transactionId, evidence: note("good") });
    const opinion = { transactionId, providerShareBps: 2_500, reason: "a part of it" };
    await as(jo).ruleOnDispute({ ...opinion, providerShareBps: 1 });
    await as(jo).ruleOnDispute(opinion);
    const open = await as(kim).getTransaction({ transactionId });

    time += 3 * DAY_MS;
    const { transaction } = await as(kim).ruleOnDispute(opinion);

    expect(open.transaction?.dispute).toMatchObject({
      transactionId,
      amount: eur(400),
      flaggedBy: `agent:${payer}`,
      evidenceCount: 2,
      votes: [{ arbitrator: jo, providerShareBps: 2_500 }],
    });
    expect(transaction).toMatchObject({
      state: TransactionState.SETTLED,
      settledAmount: eur(100),
      dispute: {
        votes: [{ arbitrator: jo }, { arbitrator: kim }],
        ruling: { rule: Rule.PANEL, providerShareBps: 2_500, ruledBy: "ledger" },
      },
    });
    const { events } = await market
      .as("auditor")
      .lineage.queryEvents({ pageSize: 1_000, startTime: timestampFromDate(new Date(START - 1)) });
    const mine = events.filter((event) => event.eventId.includes(transactionId));
    expect(mine.map(({ type }) => type)).toEqual([
      "delivery_recorded",
      "transaction_disputed",
      "evidence_submitted",
      "evidence_submitted",
      "vote_cast",
      "vote_cast",
      "vote_cast",
      "dispute_resolved",
    ]);
    expect(mine.at(-1)?.payload).toMatchObject({ rule: "PANEL", provider_share_bps: 2_500 });
  });

  test("keeps what each side brings as it was brought", async () => {
    const { payer, provider, transactionId } = await aHold();
    const [bad, good] = [
      { note: "bad", reference: "https://work.example/bad", sha256: "ab".repeat(32) },
      { note: "good", reference: "https://work.example/good", sha256: "cd".repeat(32) },
    ];
    await as(payer).flagDispute({ transactionId, evidence: [bad] });
    await as(provider).submitEvidence({ transactionId, evidence: [good] });

    const { transaction } = await operator().getTransaction({ transactionId });

    expect(transaction?.evidence).toMatchObject([
      { submitter: `agent:${payer}`, ...bad },
      { submitter: `agent:${provider}`, ...good },
    ]);
  });

  test("is none of a stranger's business, and the panel's only to vote on", async () => {
    const { payer, jo, transactionId } = await aHold();
    await as(payer).flagDispute({ transactionId });
    const evidence = [{ note: "hm" }];
    const opinion = { transactionId, reason: "so" };

    const refusals = [
      as("eve").submitEvidence({ transactionId, evidence }),
      as("eve").ruleOnDispute(opinion),
      as(jo).submitEvidence({ transactionId, evidence }),
      as(payer).ruleOnDispute(opinion),
      operator().ruleOnDispute(opinion),
    ].map(refusalOf);

    expect((await Promise.all(refusals)).map(({ reason }) => reason)).toEqual([
      "TRANSACTION_NOT_FOUND",
      "TRANSACTION_NOT_FOUND",
      "NOT_TRANSACTION_PARTY",
      "NOT_ARBITRATOR",
      "PERMISSION_DENIED",
    ]);
  });
});

describe("the list of disputes", () => {
  test("has each agent's own, newest first, page by page, while others come and end", async () => {
    const { payer, provider, jo, request } = await aHold();
    const ids: string[] = [request.transactionId];
    for (let nth = 1; nth < 5; nth++) {
      const transactionId = randomUUIDv7();
      await as(payer).recordTransaction({ ...request, transactionId, amount: eur(10) });
      ids.unshift(transactionId);
    }
    for (const transactionId of ids.toReversed()) {
      time += 1_000;
      await as(payer).flagDispute({ transactionId });
    }

    for (const [nth, agent] of [payer, provider, jo].entries()) {
      const seen: string[] = [];
      const filter = { agentId: agent, pageSize: 2 };
      for (let pageToken = "", pages = 0; pages === 0 || pageToken !== ""; pages++) {
        const page = await as(agent).listDisputes({ ...filter, pageToken });
        seen.push(...page.disputes.map(({ transactionId }) => transactionId));
        pageToken = page.nextPageToken;
        const ended = ids[nth] ?? "";
        const ruling = { requestId: randomUUIDv7(), transactionId: ended, reason: "so" };
        if (pages === 0) await operator().resolveDispute(ruling);
      }
      expect(seen).toEqual(ids);
    }
  });

  test("is filtered by whether they are open, and by when a rule ends them", async () => {
    const [first, second, third] = [await aHold(), await aHold(), await aHold()];
    await as(first.payer).flagDispute({ transactionId: first.transactionId });
    await as(third.payer).flagDispute({ transactionId: third.transactionId });
    const ruling = { requestId: randomUUIDv7(), transactionId: third.transactionId, reason: "so" };
    await operator().resolveDispute(ruling);
    time += DAY_MS;
    await as(second.payer).flagDispute({ transactionId: second.transactionId });
    const known = new Map<string, number>(
      [first, second, third].map((one, nth) => [one.transactionId, nth]),
    );
    const listed = async (filter: Parameters<ReturnType<typeof operator>["listDisputes"]>[0]) => {
      const { disputes } = await operator().listDisputes({ ...filter, pageSize: 1_000 });
      return disputes.flatMap(({ transactionId }) => known.get(transactionId) ?? []);
    };
    const { disputes } = await as(first.payer).listDisputes({ agentId: first.payer });
    const due = disputes[0]?.dueTime;
    const dueBeforeTime = timestampFromDate(new Date((due ? timestampDate(due).getTime() : 0) + 1));

    expect(await listed({})).toEqual([1, 2, 0]);
    expect(await listed({ status: DisputeStatus.OPEN })).toEqual([1, 0]);
    expect(await listed({ status: DisputeStatus.CLOSED })).toEqual([2]);
    expect(await listed({ dueBeforeTime })).toEqual([0]);
  });

  test("is refused of another agent, and with a token of another list", async () => {
    const { payer, provider } = await aHold();

    expect(await refusalOf(as(payer).listDisputes({ agentId: provider }))).toMatchObject({
      reason: "PERMISSION_DENIED",
    });
    expect(await refusalOf(operator().listDisputes({ pageToken: "AAAA" }))).toMatchObject({
      reason: "INVALID_PAGE_TOKEN",
    });
  });
});
