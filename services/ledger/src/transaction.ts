import { canonicalJson, type JsonObject } from "@bourse/proof";
import type { Rejection } from "@bourse/rpc/rejection";
import type { AccountName, Money } from "./account.ts";
import { type Caller, callerName } from "./caller.ts";
import { refuse } from "./refusal.ts";
import type { Rule } from "./ruling.ts";

/** Where a transaction stands. CANCELLED is an end; so is what a ruling made. */
export type TransactionState = "PENDING" | "SETTLED" | "CANCELLED" | "DISPUTED";

/** What payer and provider agreed on; it never changes. */
export interface Terms {
  /** A lower-case UUID. */
  readonly id: string;
  readonly payer: string;
  readonly provider: string;
  readonly capability: string;
  readonly amount: Money;
  readonly context: JsonObject | undefined;
  /** Who recorded it: `agent:<id>`, `operator` or `service:<name>`. */
  readonly recorder: string;
  /** What it was recorded with, all or none: a lower-case UUID. */
  readonly groupId: string | undefined;
  /** How long the money is held when nothing is delivered, in ms; more than zero. */
  readonly holdMs: number;
  readonly delivery: DeliveryTerms | undefined;
  readonly arbitration: ArbitrationTerms | undefined;
}

/** The names of the two accounts that terms are about. */
export function partyNames({
  payer,
  provider,
  amount: { currency },
}: Pick<Terms, "payer" | "provider" | "amount">): readonly AccountName[] {
  return [payer, provider].map((owner) => ({ owner, currency }));
}

/** What the provider promised to deliver, and how long the payer may look at it. */
export interface DeliveryTerms {
  /** How long after the hold the result is promised, in ms; 0 when no time was agreed. */
  readonly withinMs: number;
  /** SHA-256 that the result must have, in hex; "" when none was agreed. */
  readonly sha256: string;
  /** How long the payer may stay silent before silence accepts, in ms. */
  readonly reviewMs: number;
}

/** Who decides a dispute and how long it takes. */
export interface ArbitrationTerms {
  /** Agent ids, none of them a party. */
  readonly arbitrators: readonly string[];
  /** How many of them must name the same share; 0 when there are none. */
  readonly quorum: number;
  /** How long both sides may bring evidence, in ms. */
  readonly evidenceMs: number;
  /** How long after that a ruling may take, in ms. */
  readonly rulingMs: number;
}

/** A promise that is not resolved yet. */
export interface OpenHold {
  /** The movement. */
  readonly id: string;
  /** The account it is held at: the payer's or, in a dispute after settlement, the provider's. */
  readonly account: bigint;
  /** Micros; more than zero. */
  readonly amount: bigint;
  /** When a rule ends it; undefined while a dispute freezes it. */
  readonly dueAt: Date | undefined;
}

/** Something a party brought forward in a dispute. */
export interface Evidence {
  readonly submitter: string;
  readonly note: string;
  readonly reference: string;
  readonly sha256: string;
  readonly submittedAt: Date;
}

/** What was delivered. */
export interface Delivery {
  readonly at: Date;
  /** SHA-256 of the result in hex; "" when it was not told. */
  readonly sha256: string;
  readonly reference: string;
}

/** What one arbitrator would rule. */
export interface Vote {
  /** An agent id. */
  readonly arbitrator: string;
  /** The provider's share, 0 to 10,000. */
  readonly shareBps: number;
  readonly reason: string;
  readonly votedAt: Date;
}

/** A contest of a transaction, open until it has a ruling. */
export interface Dispute {
  readonly flaggedBy: string;
  readonly flaggedAt: Date;
  readonly evidenceDue: Date;
  readonly rulingDue: Date;
  /** When a rule may end it; undefined when it is over. */
  readonly dueAt: Date | undefined;
  /** Whether the provider had been paid before. */
  readonly wasSettled: boolean;
  /** Micros in dispute: the amount or, after settlement, what was paid. */
  readonly amount: bigint;
  readonly evidence: readonly Evidence[];
  readonly votes: readonly Vote[];
  readonly ruling: Ruling | undefined;
}

/** The decision of a dispute. */
export interface Ruling {
  /** By which rule; OPERATOR when an operator ruled. */
  readonly rule: Rule | "OPERATOR";
  /** The provider's share, 0 to 10,000. */
  readonly providerShareBps: number;
  readonly reason: string;
  readonly ruledBy: string;
  readonly ruledAt: Date;
}

/** An agreement and where it stands. */
export interface Transaction extends Terms {
  readonly state: TransactionState;
  /** Micros that are the provider's by settlement or ruling. */
  readonly settled: bigint;
  /** Micros that the provider has yet to give back by a ruling. */
  readonly owed: bigint;
  readonly hold: OpenHold | undefined;
  readonly delivered: Delivery | undefined;
  /** The contest of it, open or over. */
  readonly dispute: Dispute | undefined;
  /** The rule that ended the hold when nobody did; undefined otherwise. */
  readonly endRule: Rule | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly settledAt: Date | undefined;
}

/** Whether this is a mere payment, as most are: not delivered for, not disputed, and ended by no rule. */
export function isPlain(transaction: Transaction): boolean {
  const { state, delivered, dispute, endRule, owed } = transaction;
  const isUndisturbed = delivered === undefined && dispute === undefined && endRule === undefined;
  // What is read without its disputes is still known to be in one, or to have left a debt.
  return isUndisturbed && owed === 0n && state !== "DISPUTED";
}

/** The proto path of the first field in which two terms differ, or undefined. */
export function differingField(first: Terms, second: Terms): string | undefined {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["payer", first.payer, second.payer],
    ["provider", first.provider, second.provider],
    ["capability", first.capability, second.capability],
    ["amount.micros", first.amount.micros, second.amount.micros],
    ["amount.currency_code", first.amount.currency, second.amount.currency],
    ["context", canonicalJson(first.context ?? null), canonicalJson(second.context ?? null)],
    ["recorder", first.recorder, second.recorder],
    ["group_id", first.groupId, second.groupId],
    ["hold_timeout", first.holdMs, second.holdMs],
    ["delivery", canonicalTerms(first.delivery), canonicalTerms(second.delivery)],
    ["arbitration", canonicalTerms(first.arbitration), canonicalTerms(second.arbitration)],
  ];
  return pairs.find(([, one, other]) => one !== other)?.[0];
}

/** A JSON text that two agreements share only when they are the same. */
function canonicalTerms(terms: DeliveryTerms | ArbitrationTerms | undefined): string {
  return canonicalJson((terms as JsonObject | undefined) ?? null);
}

/**
 * Whether a caller may know that a transaction exists: agents only when they are a party of it or
 * named as its arbitrators.
 */
export function maySee(terms: Terms, caller: Caller): boolean {
  return caller.kind !== "agent" || isParty(terms, caller);
}

/** What a caller wants to do with the money of a transaction. */
export type Deed = "settle" | "cancel" | "deliver" | "dispute";

/**
 * The refusal of a caller who may not do this, or undefined. Operators may do all; a service what
 * it recorded; of what the payer recorded itself, the payer settles and the provider cancels
 * and delivers; either party disputes.
 */
export function trespass(terms: Terms, caller: Caller, deed: Deed): Rejection | undefined {
  if (!maySee(terms, caller)) return notFound(terms.id);
  if (caller.kind === "operator") return undefined;
  const name = callerName(caller);
  if (caller.kind === "service" && terms.recorder === name) return undefined;
  if (caller.kind === "agent" && agentMay(terms, caller.id, deed)) return undefined;
  return refuse("NOT_TRANSACTION_PARTY", `${name} may not ${deed} transaction ${terms.id}`, {
    metadata: { principal: name, recorder: terms.recorder },
  });
}

/** The refusal of an id that is unknown, or not the caller's to know. */
export function notFound(id: string): Rejection {
  return refuse("TRANSACTION_NOT_FOUND", `there is no transaction ${id}`, {
    metadata: { transactionId: id },
  });
}

/** The refusal of a deed that the state does not allow. */
export function invalidState(transaction: Transaction, deed: string): Rejection {
  const { id, state } = transaction;
  return refuse("INVALID_TRANSACTION_STATE", `cannot ${deed} transaction ${id}: it is ${state}`, {
    metadata: { state },
  });
}

function isParty(terms: Terms, caller: Caller): boolean {
  const { payer, provider, arbitration } = terms;
  const { id } = caller;
  return id === payer || id === provider || arbitration?.arbitrators.includes(id) === true;
}

function agentMay(terms: Terms, agent: string, deed: Deed): boolean {
  if (deed === "dispute") return agent === terms.payer || agent === terms.provider;
  if (terms.recorder !== `agent:${terms.payer}`) return false;
  return agent === (deed === "settle" ? terms.payer : terms.provider);
}
