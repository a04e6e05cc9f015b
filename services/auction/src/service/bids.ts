import {
  type AuctionService,
  type SubmitBidRequest,
  SubmitBidRequestSchema,
  type SubmitBidResponse,
  SubmitBidResponseSchema,
} from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { callOptions } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { answerOnce } from "@bourse/service/mutation";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { makeBid } from "../automatic-bid.ts";
import { beginAward, rankBids } from "../award.ts";
import { type Bid, type Bidder, bidRejection, checkBid, type Refusal } from "../bid.ts";
import { bidDeclined, bidRefused, bidSubmitted } from "../bid-event.ts";
import { readTerms, writeBid } from "../codec/bid.ts";
import { writeFollowUps } from "../codec/message.ts";
import { writeTask } from "../codec/task.ts";
import { notFound } from "../mover.ts";
import type { BidReason } from "../reason.ts";
import type { AuctionTx } from "../store.ts";
import type { Step, Task, TaskSpec } from "../task.ts";
import { maySeeBids } from "../viewer.ts";
import { callerOf, type Parts } from "./parts.ts";
import { finishFirstAward } from "./tasks.ts";

type BidMethods = Pick<
  ServiceImpl<typeof AuctionService>,
  "submitBid" | "declineToBid" | "listBids"
>;

/** What became of a bid: an answer, or a refusal that was not written yet. */
type Taken =
  | { readonly answer: SubmitBidResponse; readonly refused?: undefined }
  | { readonly refused: { readonly task: Task; readonly refusal: Refusal } };

/** A bid that was found legal, and what it leads to. */
interface Accepted {
  readonly before: Task;
  readonly step: Step;
  readonly bid: Bid;
}

/** Faults that rest on what is known of the agent, which may have changed a moment ago. */
const ABOUT_AGENT: ReadonlySet<BidReason> = new Set<BidReason>([
  "AGENT_NOT_REGISTERED",
  "AGENT_NOT_AVAILABLE",
  "CAPABILITY_MISSING",
  "PRICE_NOT_POSTED",
  "CAPACITY_EXHAUSTED",
]);

/** Bidding. */
export function bidMethods(parts: Parts): BidMethods {
  const { store, journal, book, now } = parts;

  /**
   * Checks and, when legal, writes a bid; the memory of the request is written with it, and only
   * then.
   */
  async function take(
    request: SubmitBidRequest,
    bidder: Bidder | undefined,
    ctx: HandlerContext,
  ): Promise<Taken> {
    let refused: Taken["refused"];
    let accepted: Accepted | undefined;
    const writing = store.write((tx) => {
      refused = undefined;
      accepted = undefined;
      const schemas = { input: SubmitBidRequestSchema, output: SubmitBidResponseSchema };
      return answerOnce(tx.sql, ctx, schemas, request, async () => {
        const judged = await judge(tx, request, bidder);
        if ("refusal" in judged) {
          refused = judged;
          throw bidRejection(request.taskId, judged.refusal);
        }
        accepted = judged;
        await writeAccepted(tx, judged);
        return answerOf(judged.step.task, judged.bid, ctx);
      });
    }, ctx.signal);
    const answer = await writing.catch((error: unknown) => {
      if (refused === undefined) throw error;
      return undefined;
    });
    if (accepted !== undefined) {
      journal.told(accepted.before, accepted.step);
      journal.bid("accepted");
    }
    if (refused !== undefined) return { refused };
    if (answer === undefined) throw new Error("a bid was neither taken nor refused");
    return { answer };
  }

  async function judge(
    tx: Pick<AuctionTx, "hasBid" | "inHand"> & { lockTask(id: string): Promise<Task | undefined> },
    request: Pick<SubmitBidRequest, "taskId" | "agentId" | "terms">,
    bidder: Bidder | undefined,
  ): Promise<Accepted | { readonly task: Task; readonly refusal: Refusal }> {
    const { taskId, agentId } = request;
    const task = await tx.lockTask(taskId);
    if (task === undefined) throw notFound(taskId);
    const terms = readTerms(request.terms);
    const at = now();
    const hasBid = await tx.hasBid(taskId, agentId);
    const inHand = (await tx.inHand([agentId])).get(agentId) ?? 0;
    const faults = checkBid(task, bidder, terms, { agentId, now: at, hasBid, inHand });
    if (faults.length > 0 || bidder === undefined) {
      return { task, refusal: { agentId, terms, faults, submitTime: at } };
    }
    const sequence = task.bidCount + 1;
    const bidId = parts.newId();
    const bid = makeBid(task, bidder, terms, { bidId, sequence, automatic: false, now: at });
    const counted = { ...task, bidCount: sequence, updateTime: at };
    const isFirstBest = task.spec.awardPolicy === "FIRST_QUALIFIED";
    const award = isFirstBest ? beginAward(counted, [bid], "FIRST", at) : undefined;
    const step = { task: award?.task ?? counted, followUps: [bidSubmitted(task, bid)] };
    return { before: task, step, bid };
  }

  /** Keeps the refusal, and tells of the agent's first. */
  async function remember({ task, refusal }: NonNullable<Taken["refused"]>): Promise<void> {
    await store.write(async (tx) => {
      const first = await tx.putRefusals(task.taskId, [refusal]);
      const followUps = first.length === 0 ? [] : [bidRefused(task, refusal, parts.newId())];
      await tx.enqueue(writeFollowUps(task.taskId, followUps), refusal.submitTime);
    });
    journal.bid("refused");
  }

  async function rehearse(request: SubmitBidRequest, ctx: HandlerContext) {
    const reading = { ...store, lockTask: store.task };
    let judged = await judge(reading, request, book.get(request.agentId));
    if ("refusal" in judged && isAboutAgent(judged.refusal)) {
      judged = await judge(reading, request, await book.ask(request.agentId, callOptions(ctx)));
    }
    if ("refusal" in judged) throw bidRejection(request.taskId, judged.refusal);
    return answerOf(judged.before, judged.bid, ctx);
  }

  return {
    async submitBid(request, ctx) {
      book.requireReady();
      if (request.validateOnly) return rehearse(request, ctx);
      let taken = await take(request, book.get(request.agentId), ctx);
      if (taken.refused !== undefined && isAboutAgent(taken.refused.refusal)) {
        taken = await take(request, await book.ask(request.agentId, callOptions(ctx)), ctx);
      }
      if (taken.refused !== undefined) {
        await remember(taken.refused);
        throw bidRejection(request.taskId, taken.refused.refusal);
      }
      const { bid, task } = taken.answer;
      return { bid, task: await finishFirstAward(parts, task, ctx) };
    },

    async declineToBid({ taskId, agentId, reason }, ctx) {
      const { decline, isFirst } = await store.write(async (tx) => {
        const task = await tx.lockTask(taskId);
        if (task === undefined) throw notFound(taskId);
        const at = now();
        const said = await tx.putDecline(taskId, { agentId, reason, declineTime: at });
        if (!said.isFirst) return said;
        if (task.state !== "OPEN" || at >= task.biddingCloseTime) throw notOpen(task);
        if (await tx.hasBid(taskId, agentId)) throw alreadyBid(task, agentId);
        const declined = bidDeclined(task, agentId, parts.newId(), at);
        await tx.enqueue(writeFollowUps(taskId, [declined]), at);
        return said;
      }, ctx.signal);
      if (isFirst) journal.bid("declined");
      return { declineTime: timestampFromDate(decline.declineTime) };
    },

    async listBids({ taskId }, ctx) {
      const viewer = callerOf(ctx);
      const task = await store.task(taskId);
      if (task === undefined) throw notFound(taskId);
      const ranking = rankBids(task.spec, await store.bids(taskId));
      const isOpen = maySeeBids(task, viewer);
      return {
        bids: ranking.filter(({ bid }) => isOpen || bid.agentId === viewer.id).map(writeBid),
      };
    },
  };
}

function isAboutAgent(refusal: Refusal): boolean {
  return refusal.faults.some((fault) => ABOUT_AGENT.has(fault.reason));
}

async function writeAccepted(tx: AuctionTx, { step, bid }: Accepted): Promise<void> {
  await tx.insertBids([bid]);
  await tx.dropDecline(bid.taskId, bid.agentId);
  await tx.saveTask(step.task);
  await tx.enqueue(writeFollowUps(bid.taskId, step.followUps), bid.submitTime);
}

function answerOf(task: Task, bid: Bid, ctx: HandlerContext) {
  return { bid: scoredBid(task.spec, bid), task: writeTask(task, callerOf(ctx)) };
}

/** A bid with its score, which does not depend on other bids. */
export function scoredBid(spec: TaskSpec, bid: Bid) {
  const [ranked] = rankBids(spec, [bid]);
  if (ranked === undefined) throw new Error("a bid has no score");
  return writeBid(ranked);
}

function notOpen(task: Task): Rejection {
  return new Rejection("TASK_NOT_OPEN", `task ${task.taskId} takes no bids any more`, {
    metadata: { task_id: task.taskId, state: task.state },
  });
}

function alreadyBid(task: Task, agentId: string): Rejection {
  return new Rejection("ALREADY_BID", `agent ${agentId} has a bid on task ${task.taskId}`, {
    metadata: { task_id: task.taskId },
  });
}
