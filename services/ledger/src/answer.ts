import { principalKey } from "@bourse/rpc";
import type { HandlerContext } from "@connectrpc/connect";
import type { Answer } from "./books.ts";
import type { Transaction } from "./transaction.ts";

/** Who calls. */
export function callerOf(ctx: HandlerContext) {
  return ctx.values.get(principalKey);
}

/** The transaction that a command was answered with. Throws its refusal. */
export function transactionOf(answer: Answer | undefined): Transaction {
  if (answer?.kind !== "transaction") throw refusalOf(answer);
  return answer.transaction;
}

/** Why there is no other answer: the refusal or, when there is none, a bug. */
export function refusalOf(answer: Answer | undefined): Error {
  return answer?.kind === "refused" ? answer.refusal : new TypeError("another thing was answered");
}
