import { randomUUID } from "node:crypto";
import type { Connection } from "@bourse/client";
import type { Task } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Code } from "@connectrpc/connect";
import { aProfile } from "../../support/agent.ts";
import { allTold } from "../../support/books.ts";
import type { Actor, TestMarket } from "../../support/market.ts";
import { eur } from "../../support/money.ts";
import { aTask, award, bid, deliver, post, terms } from "../../support/task.ts";

/** A request that must be refused, and how. */
export interface Row {
  readonly title: string;
  readonly call: (world: World) => Promise<unknown>;
  readonly code: keyof typeof Code;
  readonly reason: string;
  /** One of the fields that the BadRequest names. */
  readonly field?: string;
  /** Tables that may hold more afterwards, as the contract says. */
  readonly leaves?: readonly string[];
}

/** A market in which something of everything has happened. */
export interface World {
  readonly market: TestMarket;
  readonly operator: Connection;
  readonly auditor: Connection;
  /** Calls as the auction service. */
  readonly auctioneer: Connection;
  readonly buyer: Actor;
  /** Has won, and has bid on `open`. */
  readonly worker: Actor;
  readonly rival: Actor;
  /** Registered, in MAINTENANCE. */
  readonly resting: Actor;
  /** Takes one task at once, and has it. */
  readonly busy: Actor;
  /** Not registered, without money. */
  readonly stranger: Actor;
  readonly open: Task;
  readonly awarded: Task;
  readonly delivered: Task;
  readonly succeeded: Task;
  readonly cancelled: Task;
  /** Transactions that the buyer recorded itself, by their state. */
  readonly pending: string;
  readonly settled: string;
  readonly ended: string;
  readonly disputed: string;
}

/** Ids that are well formed and belong to nothing. */
export const NO_TASK = "task-20260101-000000-00000000";
export const NO_TRANSACTION = "0198f0c0-0000-7000-8000-000000000000";

/** Makes something of everything happen. */
export async function makeWorld(market: TestMarket): Promise<World> {
  const { operator, auditor } = market;
  const buyer = await market.buyer("buyer", eur(100));
  const worker = await market.agent("worker");
  const resting = await market.agent("resting");
  await resting.registry.heartbeat({ agentId: resting.id, declaredState: 4 });
  const busy = await market.agent("busy", { maxConcurrent: 1 });

  const taken = await post(buyer);
  await bid(busy, taken);
  await award(buyer, taken);
  const work = async () => {
    const task = await post(buyer);
    await bid(worker, task);
    return award(buyer, task);
  };
  const awarded = await work();
  const delivered = await deliver(worker, await work());
  const succeeded = await deliver(worker, await work());
  await buyer.auction.acceptResult({ taskId: succeeded.taskId });
  const cancelled = await post(buyer);
  await buyer.auction.cancelTask({ taskId: cancelled.taskId });
  const { task } = await buyer.auction.postTask({
    requestId: "open",
    requester: buyer.id,
    spec: aTask({ evaluator: "judge" }),
  });
  const open = task as Task;
  await worker.auction.submitBid({
    requestId: "bid-on-open",
    taskId: open.taskId,
    agentId: worker.id,
    terms: terms(),
  });
  const rival = await market.stranger("rival");
  await operator.registry.registerAgent({
    requestId: "rival",
    agentId: rival.id,
    profile: aProfile(),
  });

  const record = async () => {
    const transactionId = randomUUID();
    const terms = { payer: buyer.id, provider: worker.id, capability: "x", amount: eur(1) };
    await buyer.ledger.recordTransaction({ transactionId, ...terms });
    return transactionId;
  };
  const [pending, settled, ended, disputed] = [
    await record(),
    await record(),
    await record(),
    await record(),
  ];
  await buyer.ledger.settleTransaction({ transactionId: settled });
  await operator.ledger.cancelTransaction({ transactionId: ended });
  await worker.ledger.flagDispute({ transactionId: disputed, evidence: [{ note: "no" }] });
  const auctioneer = await market.as("service:auction");
  const stranger = await market.stranger("stranger");
  await allTold(market);
  return {
    market,
    operator,
    auditor,
    auctioneer,
    buyer,
    worker,
    rival,
    resting,
    busy,
    stranger,
    open,
    awarded,
    delivered,
    succeeded,
    cancelled,
    pending,
    settled,
    ended,
    disputed,
  };
}
