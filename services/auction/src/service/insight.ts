import type {
  AuctionService,
  SimulateAuctionRequest,
} from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { bidAutomatically, chooseBidders, makeBid } from "../automatic-bid.ts";
import { marginMicros, priceOf, rankBids } from "../award.ts";
import { type Bid, checkBid, currencyOf, type Refusal } from "../bid.ts";
import { readPaperBidder } from "../codec/agent.ts";
import { readTerms, writeBid, writeRefusal } from "../codec/bid.ts";
import { readSpec, writeAward, writeTask } from "../codec/task.ts";
import { writeMoney } from "../codec/value.ts";
import { notFound } from "../mover.ts";
import { post, type Task } from "../task.ts";
import { knownAwards, requireUnsealed } from "../viewer.ts";
import { callerOf, type Parts } from "./parts.ts";

type InsightMethods = Pick<ServiceImpl<typeof AuctionService>, "explainAward" | "simulateAuction">;

/** Why an auction went as it did, and how one would go. */
export function insightMethods({ store, book, now, newId }: Parts): InsightMethods {
  async function runOnPaper(task: Task, request: SimulateAuctionRequest): Promise<Paper> {
    const at = now();
    const bidders = request.includeAutomatic
      ? chooseBidders(task, book.automatic(task.spec.requirements.capabilities))
      : [];
    const inHand = await store.inHand([
      ...request.bids.map((bid) => bid.agentId),
      ...bidders.map((bidder) => bidder.agentId),
    ]);
    const paper = request.bids.reduce<Paper>(
      ({ bids, refusals }, { agentId, terms: asked, profile }) => {
        const bidder =
          profile === undefined ? book.get(agentId) : readPaperBidder(agentId, profile);
        const terms = readTerms(asked);
        const hasBid = bids.some((bid) => bid.agentId === agentId);
        const context = { agentId, now: at, hasBid, inHand: inHand.get(agentId) ?? 0 };
        const faults = checkBid(withBids(task, bids), bidder, terms, context);
        if (faults.length > 0 || bidder === undefined) {
          return { bids, refusals: [...refusals, { agentId, terms, faults, submitTime: at }] };
        }
        const made = { bidId: newId(), sequence: bids.length + 1, automatic: false, now: at };
        return { bids: [...bids, makeBid(task, bidder, terms, made)], refusals };
      },
      { bids: [], refusals: [] },
    );
    const present = new Set(paper.bids.map((bid) => bid.agentId));
    const open = withBids(task, paper.bids);
    const automatic = bidAutomatically(open, bidders, { now: at, newId, inHand, present });
    return {
      bids: [...paper.bids, ...automatic.bids],
      refusals: [...paper.refusals, ...automatic.refusals],
    };
  }

  return {
    async explainAward({ taskId }, ctx) {
      const viewer = callerOf(ctx);
      const task = await store.task(taskId);
      if (task === undefined) throw notFound(taskId);
      requireUnsealed(task, viewer);
      const [bids, refusals, declines] = await Promise.all([
        store.bids(taskId),
        store.refusals(taskId),
        store.declines(taskId),
      ]);
      const ranking = rankBids(task.spec, bids);
      return {
        task: writeTask(task, viewer),
        ranking: ranking.map(writeBid),
        refusals: refusals.map(writeRefusal),
        declines: declines.map(({ agentId, reason, declineTime }) => {
          return { agentId, reason, declineTime: timestampFromDate(declineTime) };
        }),
        awards: knownAwards(task, viewer).map((award) => writeAward(award, currencyOf(task))),
        marginMicros: marginMicros(ranking),
      };
    },

    async simulateAuction(request) {
      const { requester, spec } = request;
      if (spec === undefined) throw new Error("spec was let through without being there");
      const { task } = post({ taskId: "", requester, spec: readSpec(spec) }, now());
      book.requireReady();
      const { bids, refusals } = await runOnPaper(task, request);
      const ranking = rankBids(task.spec, bids);
      return {
        ranking: ranking.map(writeBid),
        refusals: refusals.map(writeRefusal),
        ...(ranking.length > 0 && {
          price: writeMoney(priceOf(task.spec, ranking), currencyOf(task)),
        }),
        marginMicros: marginMicros(ranking),
      };
    },
  };
}

interface Paper {
  readonly bids: readonly Bid[];
  readonly refusals: readonly Refusal[];
}

/** The task as later bids find it: taken, when the first qualified bid wins and there is one. */
function withBids(task: Task, bids: readonly Bid[]): Task {
  const isTaken = task.spec.awardPolicy === "FIRST_QUALIFIED" && bids.length > 0;
  return { ...task, bidCount: bids.length, state: isTaken ? "AWARDED" : "OPEN" };
}
