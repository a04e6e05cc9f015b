/** What the rules look at: stored facts only. A transaction has them all. */
export interface Facts {
  /** Agent ids. */
  readonly payer: string;
  readonly provider: string;
  /** When the money was first held. */
  readonly createdAt: Date;
  /** How long it is held when nothing is delivered. */
  readonly holdMs: number;
  readonly delivery:
    | {
        /** How long after the hold the result is promised; 0 when no time was agreed. */
        readonly withinMs: number;
        /** What the result must hash to; "" when nothing was agreed. */
        readonly sha256: string;
        /** How long the payer may stay silent before silence accepts. */
        readonly reviewMs: number;
      }
    | undefined;
  readonly arbitration:
    | { readonly arbitrators: readonly string[]; readonly quorum: number }
    | undefined;
  readonly delivered: { readonly at: Date; readonly sha256: string } | undefined;
  /** The contest of it that has no ruling yet; undefined while it is PENDING. */
  readonly dispute:
    | {
        readonly evidenceDue: Date;
        readonly rulingDue: Date;
        /** Whether the provider had been paid before. */
        readonly wasSettled: boolean;
        readonly evidence: readonly { readonly submitter: string }[];
        readonly votes: readonly {
          readonly arbitrator: string;
          readonly shareBps: number;
          readonly votedAt: Date;
        }[];
      }
    | undefined;
}

/** The rules that end a hold that nobody disputes. */
export type HoldRule = "NOT_DELIVERED" | "SILENCE_ACCEPTS" | "HOLD_EXPIRED";

/** The rules that end a dispute. */
export type DisputeRule =
  | "NOT_DELIVERED"
  | "EVIDENCE_SILENCE"
  | "WRONG_RESULT"
  | "LATE"
  | "PANEL"
  | "SPLIT";

/** Every rule that ends a transaction when nobody does. */
export type Rule = HoldRule | DisputeRule;

/** What a rule gives the provider, and from when on. */
export interface Finding {
  readonly at: Date;
  /** 0 to 10,000. */
  readonly providerShareBps: number;
}

/** What ends a transaction, by which rule. */
export interface Ending extends Finding {
  readonly rule: Rule;
}

/** What the facts say at a time: a ruling, or that nothing is due before `until`. */
export type Verdict =
  | ({ readonly kind: "ruling" } & Ending)
  | { readonly kind: "wait"; readonly until: Date };

type Found = Finding | undefined;
type Contested = Facts & { readonly dispute: NonNullable<Facts["dispute"]> };

const NONE = 0;
const HALF = 5_000;
const ALL = 10_000;

/** Of an undisputed hold; each is tried before those below it. */
const HOLD_RULES: readonly (readonly [HoldRule, (facts: Facts) => Found])[] = [
  ["NOT_DELIVERED", notDelivered],
  ["SILENCE_ACCEPTS", silenceAccepts],
  ["HOLD_EXPIRED", holdExpired],
];

/**
 * Of a dispute; each is tried before those below it. Silence after delivery is not among them: to
 * dispute is to break it.
 */
const DISPUTE_RULES: readonly (readonly [DisputeRule, (facts: Contested) => Found])[] = [
  ["NOT_DELIVERED", notDeliveredInDispute],
  ["EVIDENCE_SILENCE", evidenceSilence],
  ["WRONG_RESULT", wrongResult],
  ["LATE", late],
  ["PANEL", panel],
  ["SPLIT", split],
];

/** All rules that end a dispute, in the order in which they are tried. */
export const DISPUTE_RULE_ORDER: readonly DisputeRule[] = DISPUTE_RULES.map(([rule]) => rule);

/**
 * What ends an open transaction when its facts stay as they are. Each rule finds the instant from
 * which it holds; the earliest of them decides and, of those at the same instant, the first in
 * order. So the ruling is the same however late somebody comes to ask for it.
 */
export function nextRuling(facts: Facts): Ending {
  const { dispute } = facts;
  const endings: readonly (Ending | undefined)[] =
    dispute === undefined
      ? HOLD_RULES.map(([rule, find]) => ending(rule, find(facts)))
      : DISPUTE_RULES.map(([rule, find]) => ending(rule, find({ ...facts, dispute })));
  const first = endings.reduce(earlier, undefined);
  if (first === undefined) throw new Error("no rule ends this transaction");
  return first;
}

/** What the rules say of an open transaction at `now`. */
export function verdictOf(facts: Facts, now: Date): Verdict {
  const next = nextRuling(facts);
  return next.at <= now ? { kind: "ruling", ...next } : { kind: "wait", until: next.at };
}

function ending(rule: Rule, found: Found): Ending | undefined {
  return found && { rule, ...found };
}

function earlier(one: Ending | undefined, other: Ending | undefined): Ending | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.at < one.at ? other : one;
}

/** Nothing came by the end of the hold: the payer has it back. */
function notDelivered(facts: Facts): Found {
  return facts.delivered === undefined ? finding(holdEnd(facts), NONE) : undefined;
}

/** The payer had the agreed time to look at the delivery and said nothing: it is paid. */
function silenceAccepts({ delivery, delivered }: Facts): Found {
  if (delivery === undefined || delivered === undefined) return undefined;
  return finding(after(delivered.at, delivery.reviewMs), ALL);
}

/** Delivered, but nobody agreed that silence accepts: the payer has it back. */
function holdExpired(facts: Facts): Found {
  return facts.delivery === undefined ? finding(holdEnd(facts), NONE) : undefined;
}

/**
 * Nothing came: not by the end of the hold, which a dispute cannot draw out; nor, where a time was
 * agreed, by that time and the end of the evidence; nor before the last day. What had been settled
 * counts as delivered.
 */
function notDeliveredInDispute(facts: Contested): Found {
  const { delivered, delivery, createdAt, dispute } = facts;
  if (dispute.wasSettled || delivered !== undefined) return undefined;
  const end = earliest(holdEnd(facts), dispute.rulingDue);
  const withinMs = delivery?.withinMs ?? 0;
  if (withinMs === 0) return finding(end, NONE);
  return finding(earliest(end, latest(after(createdAt, withinMs), dispute.evidenceDue)), NONE);
}

/** One side brought evidence and the other did not: the one that spoke wins. */
function evidenceSilence({ payer, provider, dispute }: Contested): Found {
  const heard = (agent: string) =>
    dispute.evidence.some(({ submitter }) => submitter === `agent:${agent}`);
  if (heard(payer) === heard(provider)) return undefined;
  return finding(dispute.evidenceDue, heard(provider) ? ALL : NONE);
}

/** What was delivered is not what was agreed: the payer has it back. */
function wrongResult({ delivery, delivered, dispute }: Contested): Found {
  const agreed = delivery?.sha256 ?? "";
  if (delivered === undefined || agreed === "" || delivered.sha256 === agreed) return undefined;
  return finding(dispute.evidenceDue, NONE);
}

/** Delivered late: all for no delay, nothing for a delay as long as the agreed time. */
function late({ delivery, delivered, createdAt, dispute }: Contested): Found {
  const withinMs = delivery?.withinMs ?? 0;
  if (delivered === undefined || withinMs === 0) return undefined;
  const lateMs = delivered.at.getTime() - after(createdAt, withinMs).getTime();
  if (lateMs <= 0) return undefined;
  // In whole numbers, for a year of milliseconds times 10,000 is near the end of the exact ones.
  const left = BigInt(Math.max(0, withinMs - lateMs));
  return finding(dispute.evidenceDue, Number((left * BigInt(ALL)) / BigInt(withinMs)));
}

/**
 * Enough of the named arbitrators, none of them a party, named the same share. Not before both
 * sides had the time to be heard.
 */
function panel({ arbitration, payer, provider, dispute }: Contested): Found {
  if (arbitration === undefined || arbitration.quorum < 1) return undefined;
  const { arbitrators, quorum } = arbitration;
  const votes = dispute.votes
    .filter(({ arbitrator }) => arbitrators.includes(arbitrator))
    .filter(({ arbitrator }) => arbitrator !== payer && arbitrator !== provider)
    .toSorted((a, b) => a.votedAt.getTime() - b.votedAt.getTime());
  const counts = new Map<number, number>();
  for (const { shareBps, votedAt } of votes) {
    const count = (counts.get(shareBps) ?? 0) + 1;
    if (count === quorum) return finding(latest(votedAt, dispute.evidenceDue), shareBps);
    counts.set(shareBps, count);
  }
  return undefined;
}

/** Nobody ruled in time: each side has half. */
function split({ dispute }: Contested): Found {
  return finding(dispute.rulingDue, HALF);
}

function finding(at: Date, providerShareBps: number): Finding {
  return { at, providerShareBps };
}

function holdEnd({ createdAt, holdMs }: Facts): Date {
  return after(createdAt, holdMs);
}

function after(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}

function earliest(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function latest(a: Date, b: Date): Date {
  return a < b ? b : a;
}
