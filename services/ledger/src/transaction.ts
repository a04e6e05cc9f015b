import type { Rejection } from "@bourse/rpc/rejection";
import type { Money } from "./account.ts";
import { type Caller, callerName } from "./caller.ts";
import { canonicalJson, type JsonObject } from "./canonical.ts";
import { refuse } from "./refusal.ts";

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
}

/** A promise that is not resolved yet. */
export interface OpenHold {
  /** The movement. */
  readonly id: string;
  /** The account it is held at: the payer's or, in a dispute after settlement, the provider's. */
  readonly account: bigint;
  /** Micros; more than zero. */
  readonly amount: bigint;
}

/** Something a party brought forward in a dispute. */
export interface Evidence {
  readonly submitter: string;
  readonly note: string;
  readonly reference: string;
  readonly sha256: string;
  readonly submittedAt: Date;
}

/** An operator's decision of a dispute. */
export interface Ruling {
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
  /** Micros that a ruling gave back to the payer but that were no longer there at the provider. */
  readonly owed: bigint;
  readonly hold: OpenHold | undefined;
  readonly evidence: readonly Evidence[];
  readonly ruling: Ruling | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly settledAt: Date | undefined;
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
  ];
  return pairs.find(([, one, other]) => one !== other)?.[0];
}

/** Whether a caller may know that a transaction exists: agents only when they are a party of it. */
export function maySee(terms: Terms, caller: Caller): boolean {
  return caller.kind !== "agent" || isParty(terms, caller);
}

/** What a caller wants to do with the money of a transaction. */
export type Deed = "settle" | "cancel" | "dispute";

/**
 * The refusal of a caller who may not do this, or undefined. Operators may do all; a service what
 * it recorded; of what the payer recorded itself, the payer settles and the provider cancels;
 * either party disputes.
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
  return caller.id === terms.payer || caller.id === terms.provider;
}

function agentMay(terms: Terms, agent: string, deed: Deed): boolean {
  if (deed === "dispute") return true;
  if (terms.recorder !== `agent:${terms.payer}`) return false;
  return agent === (deed === "settle" ? terms.payer : terms.provider);
}
