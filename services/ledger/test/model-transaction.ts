import type { ArbitrationTerms, DeliveryTerms } from "../src/transaction.ts";

/** A transaction of the model; times in ms. */
export interface ModelTransaction {
  readonly id: string;
  readonly content: string;
  /** `owner currency` */
  readonly payer: string;
  /** `owner currency` */
  readonly provider: string;
  readonly payerName: string;
  readonly providerName: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly groupId: string | undefined;
  readonly recorder: string;
  readonly holdMs: number;
  readonly createdAt: number;
  readonly delivery: DeliveryTerms | undefined;
  readonly arbitration: ArbitrationTerms | undefined;
  state: string;
  settled: bigint;
  owed: bigint;
  /** Held at the provider by a dispute after settlement. */
  frozen: bigint;
  ruled: boolean;
  settledAt: number | undefined;
  delivered: { at: number; sha256: string; reference: string } | undefined;
  dispute: ModelDispute | undefined;
}

interface ModelDispute {
  readonly wasSettled: boolean;
  readonly evidenceDue: number;
  readonly rulingDue: number;
  readonly evidence: { readonly submitter: string; readonly note: string }[];
  readonly votes: { arbitrator: string; share: number; reason: string; at: number }[];
}

interface Ending {
  readonly at: number;
  readonly share: number;
}

/** When an open transaction ends by itself and what the provider gets; the first of the earliest. */
export function endingOf(found: ModelTransaction): Ending {
  const { dispute } = found;
  const endings = dispute === undefined ? ofHold(found) : ofDispute(found, dispute);
  const at = Math.min(...endings.map((ending) => ending.at));
  return endings.find((ending) => ending.at === at) as Ending;
}

function ofHold({ createdAt, holdMs, delivery, delivered }: ModelTransaction): readonly Ending[] {
  const isReviewed = delivery !== undefined && delivered !== undefined;
  return isReviewed
    ? [{ at: delivered.at + delivery.reviewMs, share: 10_000 }]
    : [{ at: createdAt + holdMs, share: 0 }];
}

function ofDispute(found: ModelTransaction, dispute: ModelDispute): readonly Ending[] {
  const { createdAt, holdMs, delivery, delivered, payerName, providerName } = found;
  const { evidenceDue, rulingDue } = dispute;
  const endings: Ending[] = [];
  const withinMs = delivery?.withinMs ?? 0;
  if (delivered === undefined && !dispute.wasSettled) {
    const promised = withinMs > 0 ? Math.max(createdAt + withinMs, evidenceDue) : rulingDue;
    endings.push({ at: Math.min(createdAt + holdMs, rulingDue, promised), share: 0 });
  }
  const spoke = (name: string) => dispute.evidence.some(({ submitter }) => submitter === name);
  if (spoke(payerName) && !spoke(providerName)) endings.push({ at: evidenceDue, share: 0 });
  if (spoke(providerName) && !spoke(payerName)) endings.push({ at: evidenceDue, share: 10_000 });
  if (delivered !== undefined) {
    const agreed = delivery?.sha256 ?? "";
    if (agreed !== "" && agreed !== delivered.sha256) endings.push({ at: evidenceDue, share: 0 });
    const lateMs = delivered.at - createdAt - withinMs;
    if (withinMs > 0 && lateMs > 0) {
      const left = Math.max(0, withinMs - lateMs);
      endings.push({ at: evidenceDue, share: Math.floor((left * 10_000) / withinMs) });
    }
  }
  endings.push(...ofPanel(found, dispute), { at: rulingDue, share: 5_000 });
  return endings;
}

/** A majority is needed, so that at most one share has it. */
function ofPanel({ arbitration }: ModelTransaction, dispute: ModelDispute): readonly Ending[] {
  const byShare = Map.groupBy(dispute.votes, ({ share }) => share);
  return [...byShare].flatMap(([share, votes]) => {
    const times = votes.map(({ at }) => at).toSorted((a, b) => a - b);
    const agreedAt = times[(arbitration?.quorum ?? Number.POSITIVE_INFINITY) - 1];
    return agreedAt === undefined ? [] : [{ at: Math.max(agreedAt, dispute.evidenceDue), share }];
  });
}

/** A share in basis points, to the nearest micro; half a micro is not given. */
export function shareOf(micros: bigint, bps: number): bigint {
  const [whole, rest] = [(micros * BigInt(bps)) / 10_000n, (micros * BigInt(bps)) % 10_000n];
  return rest > 5_000n ? whole + 1n : whole;
}
