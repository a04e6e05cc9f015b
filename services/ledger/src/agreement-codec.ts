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
import type { ArbitrationTerms, DeliveryTerms, Terms, Transaction } from "./transaction.ts";
import { WINDOW_MS_MAX, type Windows } from "./windows.ts";

/** What a request agrees on beyond the price. */
export interface Agreement {
  readonly payer: string;
  readonly provider: string;
  readonly holdTimeout?: Duration | undefined;
  readonly delivery?: DeliveryMessage | undefined;
  readonly arbitration?: ArbitrationMessage | undefined;
}

/** What is wrong with an agreement that the rules of the contract cannot see. */
export function agreementFaults(
  path: string,
  agreement: Agreement,
): readonly (Fault | undefined)[] {
  const { delivery, arbitration } = agreement;
  return [
    holdFault(`${path}hold_timeout`, agreement),
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

/** A hold that is over before the result is due could never be delivered for. */
function holdFault(field: string, { holdTimeout, delivery }: Agreement): Fault | undefined {
  if (holdTimeout === undefined || delivery?.within === undefined) return undefined;
  if (durationMs(holdTimeout) >= durationMs(delivery.within)) return undefined;
  const description = "must not be shorter than delivery.within";
  return { field, reason: "SHORTER_THAN_DELIVERY", description };
}

function panelFaults(
  path: string,
  { payer, provider }: Agreement,
  { arbitrators, quorum }: ArbitrationMessage,
): readonly (Fault | undefined)[] {
  const field = `${path}arbitration.quorum`;
  const most = arbitrators.length;
  // More than half, so that no two shares can have it at once.
  const least = most === 0 ? 0 : Math.floor(most / 2) + 1;
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
export function decodeAgreement(
  { holdTimeout, delivery, arbitration }: Agreement,
  windows: Windows,
): Pick<Terms, "holdMs" | "delivery" | "arbitration"> {
  const withinMs = wholeMs(delivery?.within, 0);
  return {
    holdMs: wholeMs(holdTimeout, Math.max(windows.holdMs, withinMs)),
    delivery: delivery && {
      withinMs,
      sha256: delivery.sha256,
      reviewMs: wholeMs(delivery.reviewWindow, windows.reviewMs),
    },
    arbitration: arbitration && {
      arbitrators: arbitration.arbitrators,
      quorum: arbitration.quorum,
      evidenceMs: wholeMs(arbitration.evidenceWindow, windows.evidenceMs),
      rulingMs: wholeMs(arbitration.rulingWindow, windows.rulingMs),
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
