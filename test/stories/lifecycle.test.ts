import { EndReason, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { creditsMicros } from "@bourse/scoring";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountOf, allTold, creditsOf, proveBooks } from "../support/books.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { refusal } from "../support/refusal.ts";
import { aTask, award, bid, post, terms } from "../support/task.ts";
import { minutes } from "../support/time.ts";

let market: TestMarket;
let road: Awaited<ReturnType<typeof walk>>;

beforeAll(async () => {
  market = await startTestMarket();
  road = await walk();
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** Takes one task from post to payment, and looks around at every step. */
async function walk() {
  const quick = await market.agent("quick");
  const cheap = await market.agent("cheap");
  const slow = await market.agent("slow");
  const buyer = await market.buyer("buyer", eur(50));

  const posted = await post(buyer, aTask({ maxCost: eur(2.5), maxLatency: minutes(30) }));
  const { taskId } = posted;
  const cheapBid = await bid(cheap, posted, {
    price: eur(1.95),
    latency: minutes(29),
    successRate: 0.96,
  });
  const quickBid = await bid(quick, posted, {
    price: eur(2.3),
    latency: minutes(25),
    successRate: 0.98,
  });
  const refused = await refusal(
    bid(slow, posted, { price: eur(1.8), latency: minutes(40), successRate: 0.92 }),
  );
  const sealed = {
    seenByCheap: (await cheap.auction.listBids({ taskId })).bids,
    seenByBuyer: (await buyer.auction.listBids({ taskId })).bids,
    explainedToCheap: await refusal(cheap.auction.explainAward({ taskId })),
  };

  const awarded = await award(buyer, posted);
  const transactionId = awarded.award?.transactionId ?? "";
  const atAward = {
    explanation: await cheap.auction.explainAward({ taskId }),
    balances: await buyer.ledger.getBalances({ owner: buyer.id }),
    transaction: await buyer.ledger.getTransaction({ transactionId }),
  };

  const { task: delivered } = await quick.auction.submitResult({
    taskId,
    agentId: quick.id,
    awardEpoch: awarded.award?.epoch ?? 0n,
    result: {
      output: { files: 3, image: "win11-lean.iso" },
      reference: "https://work.example/iso",
      sha256: "ab".repeat(32),
      actualCost: eur(2.1),
    },
  });
  const { task: accepted } = await buyer.auction.acceptResult({ taskId, evaluation: "well done" });
  await allTold(market);
  return {
    quick,
    cheap,
    slow,
    buyer,
    posted,
    cheapBid,
    quickBid,
    refused,
    sealed,
    awarded,
    atAward,
    delivered,
    accepted,
    settled: await buyer.ledger.getTransaction({ transactionId }),
  };
}

describe("a task on its road from post to payment", () => {
  test("is OPEN once posted, under an id that tells when", () => {
    expect(road.posted.taskId).toMatch(/^task-\d{8}-\d{6}-[0-9a-f]{8}$/);
    expect(road.posted.state).toBe(TaskState.OPEN);
    expect(road.posted.requester).toBe(road.buyer.id);
  });

  test("takes bids whose score is the sum of its parts", () => {
    const { quickBid, cheapBid } = road;

    expect(quickBid.scoreMicros).toBe(558_000n);
    expect(cheapBid.scoreMicros).toBe(582_000n);
    expect(quickBid.scoreParts.reduce((sum, { micros }) => sum + micros, 0n)).toBe(558_000n);
    expect([cheapBid.sequence, quickBid.sequence]).toEqual([1n, 2n]);
  });

  test("refuses a bid for every rule it breaks, all at once", () => {
    expect(road.refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "LATENCY_EXCEEDS_MAX",
      fields: ["terms.latency", "terms.success_rate"],
      faults: ["LATENCY_EXCEEDS_MAX", "SUCCESS_RATE_BELOW_MIN"],
    });
  });

  test("keeps bids sealed from rivals until the award, but not from its requester", () => {
    const { seenByCheap, seenByBuyer, explainedToCheap } = road.sealed;

    expect(seenByCheap.map(({ agentId }) => agentId)).toEqual([road.cheap.id]);
    expect(seenByBuyer.map(({ agentId }) => agentId)).toEqual([road.quick.id, road.cheap.id]);
    expect(explainedToCheap).toMatchObject({ code: "PermissionDenied", reason: "BIDS_SEALED" });
  });

  test("goes to the best bid, which need not be the cheapest", () => {
    expect(road.awarded.state).toBe(TaskState.AWARDED);
    expect(road.awarded.award).toMatchObject({
      epoch: 1n,
      agentId: road.quick.id,
      bidId: road.quickBid.bidId,
      price: eur(2.3),
    });
  });

  test("explains its award to anybody afterwards", () => {
    const { ranking, refusals, awards, marginMicros } = road.atAward.explanation;

    expect(ranking.map(({ agentId }) => agentId)).toEqual([road.quick.id, road.cheap.id]);
    expect(marginMicros).toBe(24_000n);
    expect(awards).toHaveLength(1);
    expect(refusals).toMatchObject([
      {
        agentId: road.slow.id,
        faults: [{ reason: "LATENCY_EXCEEDS_MAX" }, { reason: "SUCCESS_RATE_BELOW_MIN" }],
      },
    ]);
  });

  test("has its price on hold while the winner works", () => {
    const { balances, transaction } = road.atAward;

    expect(balances.accounts).toMatchObject([
      {
        currencyCode: "EUR",
        postedMicros: 50_000_000n,
        heldMicros: 2_300_000n,
        availableMicros: 47_700_000n,
      },
    ]);
    expect(balances.openHolds).toMatchObject([
      { amount: eur(2.3), reference: road.awarded.award?.transactionId },
    ]);
    expect(transaction.transaction).toMatchObject({
      payer: road.buyer.id,
      provider: road.quick.id,
      state: TransactionState.PENDING,
      recorder: "service:auction",
    });
  });

  test("is DELIVERED with the winner's work and SUCCEEDED once that is accepted", () => {
    expect(road.delivered?.state).toBe(TaskState.DELIVERED);
    expect(road.delivered?.result).toMatchObject({ reference: "https://work.example/iso" });
    expect(road.accepted).toMatchObject({
      state: TaskState.SUCCEEDED,
      endReason: EndReason.ACCEPTED,
      evaluation: "well done",
      outcome: { success: true, price: eur(2.3), actualCost: eur(2.1) },
    });
  });

  test("pays the winner once, out of the hold", async () => {
    const { transaction, movements } = road.settled;

    expect(transaction).toMatchObject({
      state: TransactionState.SETTLED,
      settledAmount: eur(2.3),
    });
    expect(movements.map(({ kind }) => kind)).toEqual([MovementKind.HOLD, MovementKind.POST]);
    expect(await accountOf(market, road.quick.id, "EUR")).toMatchObject({
      postedMicros: 2_300_000n,
      heldMicros: 0n,
    });
    expect(await accountOf(market, road.buyer.id, "EUR")).toMatchObject({
      postedMicros: 47_700_000n,
      heldMicros: 0n,
    });
  });

  test("earns the winner the credits of its outcome", async () => {
    const { estimatedLatency, actualLatency } = road.accepted?.outcome ?? {};

    const expected = creditsMicros({
      success: true,
      bidMicros: 2_300_000n,
      estimatedLatencyMs: BigInt(durationMs(estimatedLatency ?? minutes(0))),
      actualLatencyMs: BigInt(durationMs(actualLatency ?? minutes(0))),
      actualCostMicros: 2_100_000n,
    });
    expect(await creditsOf(market, road.quick.id)).toBe(expected);
  });

  test("counts as one success in the winner's reputation, and for nobody else", async () => {
    const { agents } = await market.operator.registry.batchGetAgents({
      agentIds: [road.quick.id, road.cheap.id],
    });

    expect(agents.map(({ reputation }) => reputation?.completedTasks)).toEqual([1n, 0n]);
    expect(agents[0]?.reputation).toMatchObject({
      score: 1,
      failedTasks: 0n,
      reliabilities: [{ capability: "iso_construction" }],
    });
  });

  test("leaves a record in the order in which it went, without names", async () => {
    const { taskId } = road.posted;

    const { events } = await market.auditor.lineage.queryEvents({ taskId, source: "auction" });

    expect(events.map(({ type }) => type)).toEqual([
      "auction_created",
      "bid_submitted",
      "bid_submitted",
      "bid_refused",
      "task_awarded",
      "result_delivered",
      "task_completed",
    ]);
    const pseudonyms = events.flatMap(({ subjects }) => Object.values(subjects));
    expect(pseudonyms).not.toContain(road.buyer.id);
    expect(pseudonyms).not.toContain(road.quick.id);
    const winner = events.find(({ type }) => type === "task_awarded")?.subjects["winner"];
    expect(events.at(-1)?.subjects["winner"]).toBe(winner);
  });

  test("is found on the record by the id of an agent that had a part in it", async () => {
    const { taskId } = road.posted;

    const { events } = await market.auditor.lineage.queryEvents({ subject: road.quick.id });

    expect(events.map(({ type }) => type)).toContain("agent_registered");
    expect(events.filter((event) => event.taskId === taskId).length).toBeGreaterThanOrEqual(3);
  });

  test("leaves books and a record that can be proved", async () => {
    await proveBooks(market);
  });
});

describe("an agent", () => {
  test("is found by discovery as soon as it has registered, with what it has done", async () => {
    const { discovery } = market.operator;
    const filter = { capabilities: ["iso_construction"] };
    const newcomer = await market.agent("newcomer", { capabilities: ["rare_skill"] });

    await expect
      .poll(async () => {
        const found = await discovery.searchAgents({ filter: { capabilities: ["rare_skill"] } });
        return found.agents.map(({ agentId }) => agentId);
      })
      .toEqual([newcomer.id]);
    const { agents } = await discovery.recommendAgents({ capability: "iso_construction" });
    expect(agents[0]?.agentId).toBe(road.quick.id);
    const selected = await discovery.selectAgent({ filter, alternates: 2 });
    expect(selected.eligibleAgents).toBe(3);
  });

  test("gets back its first answer when it repeats a bid under the same request_id", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("repeater");
    const task = await post(buyer);
    const request = {
      requestId: "bid-once",
      taskId: task.taskId,
      agentId: agent.id,
      terms: terms(),
    };

    const first = await agent.auction.submitBid(request);
    const again = await agent.auction.submitBid(request);

    expect(again.bid).toEqual(first.bid);
    expect((await agent.auction.listBids({ taskId: task.taskId })).bids).toHaveLength(1);
  });
});
