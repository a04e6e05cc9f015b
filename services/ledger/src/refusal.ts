import { Rejection, type RejectionOptions } from "@bourse/rpc/rejection";

/** Every reason that the books and the lineage refuse with. */
export type Reason =
  | "SAME_PARTY"
  | "TRANSACTION_ID_REUSED"
  | "TRANSACTION_ID_BURNT"
  | "INSUFFICIENT_FUNDS"
  | "BALANCE_OUT_OF_RANGE"
  | "TRANSACTION_NOT_FOUND"
  | "NOT_TRANSACTION_PARTY"
  | "INVALID_TRANSACTION_STATE"
  | "CURRENCY_MISMATCH"
  | "AMOUNT_EXCEEDS_HOLD"
  | "ALREADY_SETTLED_DIFFERENTLY"
  | "DISPUTE_ALREADY_DECIDED"
  | "TOO_MUCH_EVIDENCE"
  | "DEPOSIT_ID_REUSED"
  | "WITHDRAWAL_ID_REUSED"
  | "WITHDRAWAL_ID_BURNT"
  | "CREDIT_ID_REUSED"
  | "REQUEST_ID_REUSED"
  | "EVENT_ID_REUSED"
  | "INVALID_PAGE_TOKEN"
  | "LEDGER_BUSY"
  | "LEDGER_UNAVAILABLE";

/**
 * Makes the refusal of a rule; it is returned where a batch goes on and thrown where a call ends.
 */
export function refuse(reason: Reason, message: string, options?: RejectionOptions): Rejection {
  return new Rejection(reason, message, options);
}
