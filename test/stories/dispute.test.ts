import { randomUUID } from "node:crypto";
import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { Rule, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { RecordTransactionRequestSchema } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountOf, allTold, creditsOf, proveBooks } from "../support/books.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { award, bid, post, terms } from "../support/task.ts";
import { minutes } from "../support/time.ts";

type RecordInit = Exclude<
  MessageInitShape<typeof RecordTransactionRequestSchema>,
  { readonly $typeName: string }
>;

/** For what a busy machine may take its time with. */
const SLOW = { interval: 200 };

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** Takes a task to its accepted end while its hold is frozen by a dispute, and has an operator rule on it. */
async function ruled(providerShareBps: number) {
  const buyer = await market.buyer("buyer", eur(10));
  const worker = await market.agent("worker");
  const task = await post(buyer);
  await bid(worker, task, terms({ price: eur(2) }));
  const { taskId, award: made } = await award(buyer, task);
  const transactionId = made?.transactionId ?? "";
  await worker.auction.submitResult({ taskId, agentId: worker.id, awardEpoch: 1n });
  await buyer.ledger.flagDispute({ transactionId, evidence: [{ note: "late" }] });

  const { task: accepted } = await buyer.auction.acceptResult({ taskId });
  const frozen = await buyer.ledger.getTransaction({ transactionId });
  await market.operator.ledger.resolveDispute({ transactionId, providerShareBps, reason: "so" });
  await allTold(market, 30_000);
  const { transaction } = await buyer.ledger.getTransaction({ transactionId });
  return {
    accepted,
    frozen: frozen.transaction?.state,
    ruling: transaction?.state,
    left: (await accountOf(market, buyer.id, "EUR"))?.availableMicros,
    earned: await creditsOf(market, worker.id),
  };
}

describe("money that is frozen by a dispute when its task ends", () => {
  test.each([
    { share: 10_000, ruling: TransactionState.SETTLED, left: 8_000_000n },
    { share: 5_000, ruling: TransactionState.SETTLED, left: 9_000_000n },
    { share: 0, ruling: TransactionState.CANCELLED, left: 10_000_000n },
  ])(
    "goes as the ruling says ($share in 10,000), and everything else follows",
    async ({ share, ...expected }) => {
      const end = await ruled(share);

      expect(end.accepted?.state).toBe(TaskState.SUCCEEDED);
      expect(end.frozen).toBe(TransactionState.DISPUTED);
      expect(end).toMatchObject(expected);
      expect(end.earned).toBeGreaterThan(0n);
      await proveBooks(market);
    },
  );
});

describe("money that nobody ends", () => {
  const SOON = { seconds: 1n, nanos: 0 };
  const note = (text: string) => [{ note: text, reference: "", sha256: "" }];

  /** A hold of two euros that the buyer makes for itself, on terms that are soon over. */
  async function held(agreed: Partial<RecordInit> = {}) {
    const buyer = await market.buyer("buyer", eur(10));
    const worker = await market.agent("worker");
    const [transactionId, jo, kim] = [randomUUID(), "jo", "kim"];
    await buyer.ledger.recordTransaction({
      transactionId,
      payer: buyer.id,
      provider: worker.id,
      capability: "any",
      amount: eur(2),
      arbitration: { evidenceWindow: SOON, rulingWindow: SOON, arbitrators: [jo, kim], quorum: 2 },
      ...agreed,
    });
    return { buyer, worker, transactionId };
  }

  /** Waits until the ledger ends it, which nobody asks it to. */
  async function ended({ buyer, transactionId }: Awaited<ReturnType<typeof held>>) {
    const read = async () => (await buyer.ledger.getTransaction({ transactionId })).transaction;
    const open: (TransactionState | undefined)[] = [
      TransactionState.PENDING,
      TransactionState.DISPUTED,
    ];
    await expect.poll(async () => open.includes((await read())?.state), SLOW).toBe(false);
    const left = (await accountOf(market, buyer.id, "EUR"))?.availableMicros;
    const transaction = await read();
    return { left, rule: transaction?.dispute?.ruling?.rule ?? transaction?.endRule };
  }

  test("goes back when nothing is delivered", async () => {
    const hold = await held({ holdTimeout: SOON });

    expect(await ended(hold)).toEqual({ left: 10_000_000n, rule: Rule.NOT_DELIVERED });
  });

  test("is paid when the payer is silent after the delivery", async () => {
    const hold = await held({ delivery: { reviewWindow: SOON } });
    await hold.worker.ledger.recordDelivery({ transactionId: hold.transactionId });

    expect(await ended(hold)).toEqual({ left: 8_000_000n, rule: Rule.SILENCE_ACCEPTS });
  });

  test("goes to the side that spoke when the other was silent", async () => {
    const hold = await held();
    const { transactionId } = hold;
    await hold.worker.ledger.recordDelivery({ transactionId });
    await hold.buyer.ledger.flagDispute({ transactionId });
    await hold.worker.ledger.submitEvidence({ transactionId, evidence: note("it is all there") });

    expect(await ended(hold)).toEqual({ left: 8_000_000n, rule: Rule.EVIDENCE_SILENCE });
  });

  test("goes as the panel says, or else in halves", async () => {
    const [first, second] = [await held(), await held()];
    for (const { buyer, worker, transactionId } of [first, second]) {
      await worker.ledger.recordDelivery({ transactionId });
      await buyer.ledger.flagDispute({ transactionId, evidence: note("bad") });
      await worker.ledger.submitEvidence({ transactionId, evidence: note("good") });
    }
    const { transactionId } = first;
    for (const name of ["jo", "kim"]) {
      const arbitrator = await market.as(`agent:${name}`);
      const { disputes } = await arbitrator.ledger.listDisputes({ agentId: name });
      expect(disputes.map((dispute) => dispute.transactionId)).toContain(transactionId);
      const opinion = { transactionId, providerShareBps: 2_500, reason: "a part of it" };
      await arbitrator.ledger.ruleOnDispute(opinion);
    }

    expect(await ended(first)).toEqual({ left: 9_500_000n, rule: Rule.PANEL });
    expect(await ended(second)).toEqual({ left: 9_000_000n, rule: Rule.SPLIT });
    await proveBooks(market);
  });
});

describe("what a winner delivers", () => {
  test("is noted in the ledger, with what its bid had promised", async () => {
    const buyer = await market.buyer("buyer", eur(10));
    const worker = await market.agent("worker");
    const task = await post(buyer);
    await bid(worker, task, terms({ latency: minutes(20) }));
    const { taskId, award: made } = await award(buyer, task);
    const sha256 = "ab".repeat(32);
    await worker.auction.submitResult({
      taskId,
      agentId: worker.id,
      awardEpoch: 1n,
      result: { sha256 },
    });
    await allTold(market, 30_000);

    const transactionId = made?.transactionId ?? "";
    const { transaction } = await buyer.ledger.getTransaction({ transactionId });
    expect(transaction).toMatchObject({
      state: TransactionState.PENDING,
      delivery: { within: minutes(20) },
      delivered: { sha256 },
    });
  });
});
