import type { JsonObject } from "@bourse/proof";
import { deriveUuid } from "@bourse/service/derive";
import type { AccountName } from "../account.ts";
import type { Answer } from "../books.ts";
import type { Caller } from "../caller.ts";
import type { Command } from "../command.ts";
import type { Terms } from "../transaction.ts";
import type { Claim } from "./claim.ts";
import { ownerOf } from "./rail.ts";
import type { Code, Fault } from "./verdict.ts";

/** The facilitator as the books know it: it records and settles what was paid by x402. */
export const FACILITATOR: Caller = { kind: "service", id: "x402" };

/** What the books know of a payment, and of the account that it comes from. */
export interface PaymentStanding {
  /** Whether there is a transaction of its id. */
  readonly recorded: boolean;
  /** Whether it was refused for a passing cause, so that its id is used up. */
  readonly burnt: boolean;
  /** Micros that the payer can spend now. */
  readonly available: bigint;
}

/** Reads payments. */
export interface PaymentStore {
  standing(id: string, account: AccountName): Promise<PaymentStanding>;
  /** Whether so many micros went from the payer's account to the payee's, whatever came after. */
  wasPaid(id: string, payer: string, micros: bigint): Promise<boolean>;
}

/** Commits commands; answers each when all are durable. */
export type Submit = (commands: readonly Command[]) => Promise<readonly Answer[]>;

/** How a payment ended. */
export type Outcome = { readonly transactionId: string } | { readonly fault: Fault };

/**
 * The id of a payment: it follows from network, asset, payer and nonce, so that the books, which do
 * a transaction once per id, let a nonce of a payer pay once. Another payer's equal nonce is
 * another payment.
 */
export function paymentId({ rail, authorization }: Claim): string {
  const asset = rail.asset.toLowerCase();
  const payer = ownerOf(authorization.from);
  return deriveUuid("x402", rail.network, asset, payer, authorization.nonce);
}

/**
 * Makes a payment once, or finds how it ended: by the same id and content, the books answer as they
 * did the first time. Hold and settlement are one commit, so there is no half of a payment.
 */
export async function pay(
  claim: Claim,
  { submit, store }: { readonly submit: Submit; readonly store: PaymentStore },
): Promise<Outcome> {
  const id = paymentId(claim);
  const record = { kind: "record", terms: termsOf(claim, id) } as const;
  // A payment of nothing gives its micro back: the nonce is used up, and nothing was paid.
  const end: Command =
    claim.micros === 0n
      ? { kind: "cancel", id, caller: FACILITATOR }
      : { kind: "settle", id, amount: undefined, caller: FACILITATOR };
  const [answer] = await submit([{ kind: "linked", commands: [record, end] }]);
  if (answer?.kind !== "group") throw new TypeError("a linked command was answered as one");
  const [held, ended] = answer.answers.map(reasonOf);
  if (held === undefined && ended === undefined) {
    return { transactionId: claim.micros === 0n ? "" : id };
  }
  if (held !== LINKED) return outcomeOf(claim, held ?? "");
  // It was held before, and perhaps paid: a dispute or its ruling does not undo that.
  const wasPaid = await store.wasPaid(id, ownerOf(claim.authorization.from), claim.micros);
  return wasPaid ? { transactionId: id } : outcomeOf(claim, ended ?? "");
}

const LINKED = "LINKED_ENTRY_FAILED";

/** Until when a hold would wait for its settlement; they are one commit, so none does. */
const HOLD_MS = 24 * 3_600_000;

function reasonOf(answer: Answer): string | undefined {
  return answer.kind === "refused" ? answer.refusal.reason : undefined;
}

function termsOf(claim: Claim, id: string): Terms {
  const { from, to } = claim.authorization;
  return {
    id,
    payer: ownerOf(from),
    provider: ownerOf(to),
    capability: "x402",
    amount: { micros: claim.micros || 1n, currency: claim.rail.currency },
    context: contextOf(claim),
    recorder: "service:x402",
    groupId: undefined,
    holdMs: HOLD_MS,
    delivery: undefined,
    arbitration: undefined,
  };
}

/** Belongs to the content of the transaction, so a nonce cannot be used for something else. */
function contextOf({ rail, authorization, digest }: Claim): JsonObject {
  return {
    scheme: authorization.scheme,
    network: rail.network,
    asset: rail.asset.toLowerCase(),
    digest: `0x${Buffer.from(digest).toString("hex")}`,
  };
}

/**
 * What a refusal of the books means to a payer. What burns the id has one code, because the books
 * remember that it is burnt and not why, and the first answer has to be given again.
 */
function outcomeOf(claim: Claim, reason: string): Outcome {
  const isBurnt = BURNING.has(reason);
  // The nonce is burnt, which is all that a payment of nothing has to do.
  if (isBurnt && claim.micros === 0n) return { transactionId: "" };
  const code: Code = isBurnt ? "insufficient_funds" : "invalid_transaction_state";
  const message = isBurnt ? "the payer has not as much to spend" : `the ledger refused: ${reason}`;
  return { fault: { code, message } };
}

const BURNING: ReadonlySet<string> = new Set([
  "INSUFFICIENT_FUNDS",
  "ACCOUNT_FROZEN",
  "ACCOUNT_CLOSED",
  "TRANSACTION_ID_BURNT",
]);
