import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountOf, allTold, creditsOf, proveBooks } from "../support/books.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { award, bid, post, terms } from "../support/task.ts";

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
    60_000,
  );
});
