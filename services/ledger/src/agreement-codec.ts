import type {
  ArbitrationTerms as ArbitrationMessage,
  DeliveryTerms as DeliveryMessage,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { Fault } from "@bourse/rpc/rejection";
import {
  type Duration,
  durationFromMs,
  durationMs,
  timestampFromDate,
} from "@bufbuild/protobuf/wkt";
import { DEFAULT_ARBITRATION, DEFAULT_REVIEW_MS } from "./dispute.ts";
import type { ArbitrationTerms, DeliveryTerms, Terms, Transaction } from "./transaction.ts";

/** What a request agrees on beyond the price. */
export interface Agreement {
  readonly payer: string;
  readonly provider: string;
  readonly holdTimeout?: Duration | undefined;
  readonly delivery?: DeliveryMessage | undefined;
  readonly arbitration?: ArbitrationMessage | undefined;
}

const DAY_MS = 24 * 3_600_000;

/** How long money is held when neither side says: thirty days, in ms. */
export const DEFAULT_HOLD_MS = 30 * DAY_MS;

/** The longest that any step of a transaction may last. */
const WINDOW_MS_MAX = 366 * DAY_MS;

/** What is wrong with an agreement that the rules of the contract cannot see. */
export function agreementFaults(
  path: string,
  agreement: Agreement,
): readonly (Fault | undefined)[] {
  const { delivery, arbitration } = agreement;
  return [
    windowFault(`${path}delivery.within`, delivery?.within),
    windowFault(`${path}delivery.review_window`, delivery?.reviewWindow),
    windowFault(`${path}arbitration.evidence_window`, arbitration?.evidenceWindow),
    windowFault(`${path}arbitration.ruling_window`, arbitration?.rulingWindow),
    ...(arbitration === undefined ? [] : panelFaults(path, agreement, arbitration)),
  ];
}

function windowFault(field: string, duration: Duration | undefined): Fault | undefined {
  if (duration === undefined) return undefined;
  const ms = durationMs(duration);
  if (ms > 0 && ms <= WINDOW_MS_MAX) return undefined;
  return {
    field,
    reason: "DURATION_RANGE",
    description: "must be more than 0 and at most 366 days",
  };
}

function panelFaults(
  path: string,
  { payer, provider }: Agreement,
  { arbitrators, quorum }: ArbitrationMessage,
): readonly (Fault | undefined)[] {
  const field = `${path}arbitration.quorum`;
  const [least, most] = arbitrators.length === 0 ? [0, 0] : [1, arbitrators.length];
  const fits = quorum >= least && quorum <= most;
  const description = `must be from ${least} to ${most}, for there are ${most} arbitrators`;
  return [
    ...arbitrators.map((id, nth) =>
      id === payer || id === provider
        ? {
            field: `${path}arbitration.arbitrators[${nth}]`,
            reason: "ARBITRATOR_IS_PARTY",
            description: "must not be the payer or the provider",
          }
        : undefined,
    ),
    fits ? undefined : { field, reason: "QUORUM_RANGE", description },
  ];
}

/** What was agreed, with the ledger's own windows where nothing was said. */
export function decodeAgreement({
  holdTimeout,
  delivery,
  arbitration,
}: Agreement): Pick<Terms, "holdMs" | "delivery" | "arbitration"> {
  return {
    holdMs: wholeMs(holdTimeout, DEFAULT_HOLD_MS),
    delivery: delivery && {
      withinMs: wholeMs(delivery.within, 0),
      sha256: delivery.sha256,
      reviewMs: wholeMs(delivery.reviewWindow, DEFAULT_REVIEW_MS),
    },
    arbitration: arbitration && {
      arbitrators: arbitration.arbitrators,
      quorum: arbitration.quorum,
      evidenceMs: wholeMs(arbitration.evidenceWindow, DEFAULT_ARBITRATION.evidenceMs),
      rulingMs: wholeMs(arbitration.rulingWindow, DEFAULT_ARBITRATION.rulingMs),
    },
  };
}

/** A duration in whole ms, at least one. */
function wholeMs(duration: Duration | undefined, otherwise: number): number {
  return duration === undefined ? otherwise : Math.max(1, Math.trunc(durationMs(duration)));
}

/** What was agreed, as callers see it. */
export function encodeAgreement({ holdMs, hold, delivery, arbitration }: Transaction) {
  return {
    holdTimeout: durationFromMs(holdMs),
    ...(hold?.dueAt !== undefined && { dueTime: timestampFromDate(hold.dueAt) }),
    ...(delivery && { delivery: encodeDelivery(delivery) }),
    ...(arbitration && { arbitration: encodeArbitration(arbitration) }),
  };
}

function encodeDelivery({ withinMs, sha256, reviewMs }: DeliveryTerms) {
  return {
    sha256,
    reviewWindow: durationFromMs(reviewMs),
    ...(withinMs > 0 && { within: durationFromMs(withinMs) }),
  };
}

function encodeArbitration({ arbitrators, quorum, evidenceMs, rulingMs }: ArbitrationTerms) {
  return {
    arbitrators: [...arbitrators],
    quorum,
    evidenceWindow: durationFromMs(evidenceMs),
    rulingWindow: durationFromMs(rulingMs),
  };
}
