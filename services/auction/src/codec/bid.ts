import type { BidTerms as BidTermsMessage } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { fromPpm, toPpm } from "@bourse/scoring";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Ranked } from "../award.ts";
import { type BidTerms, DEFAULT_SUCCESS_PPM, type Refusal } from "../bid.ts";
import { readDuration, readMoney, writeDuration, writeMoney } from "./value.ts";

/** What a bid promises, defaults filled in. */
export function readTerms(terms: BidTermsMessage | undefined): BidTerms {
  const { price, latency, successRate } = terms ?? {};
  return {
    price: readMoney(price),
    latencyMs: latency === undefined ? 0n : readDuration(latency),
    successPpm: successRate === undefined ? DEFAULT_SUCCESS_PPM : toPpm(successRate),
  };
}

/** A bid with its score as a message. */
export function writeBid({ bid, scoreMicros, parts }: Ranked) {
  return {
    bidId: bid.bidId,
    taskId: bid.taskId,
    agentId: bid.agentId,
    terms: writeTerms(bid.terms),
    calibration: fromPpm(bid.calibrationPpm),
    scoreMicros,
    scoreParts: parts.map(({ name, micros }) => ({ name, micros })),
    sequence: BigInt(bid.sequence),
    automatic: bid.automatic,
    submitTime: timestampFromDate(bid.submitTime),
  };
}

/** A refused bid as a message. */
export function writeRefusal(refusal: Refusal) {
  return {
    agentId: refusal.agentId,
    terms: writeTerms(refusal.terms),
    faults: refusal.faults.map(({ reason, field, description }) => ({
      reason,
      field,
      description,
    })),
    submitTime: timestampFromDate(refusal.submitTime),
  };
}

function writeTerms({ price, latencyMs, successPpm }: BidTerms) {
  return {
    price: writeMoney(price.micros, price.currency),
    latency: writeDuration(latencyMs),
    successRate: fromPpm(successPpm),
  };
}
