import { Code } from "@connectrpc/connect";
import type { Reason } from "./refusal.ts";

/** The gRPC code of each reason. */
export const codes = {
  SAME_PARTY: Code.InvalidArgument,
  TRANSACTION_ID_REUSED: Code.AlreadyExists,
  TRANSACTION_ID_BURNT: Code.FailedPrecondition,
  INSUFFICIENT_FUNDS: Code.FailedPrecondition,
  BALANCE_OUT_OF_RANGE: Code.FailedPrecondition,
  TRANSACTION_NOT_FOUND: Code.NotFound,
  NOT_TRANSACTION_PARTY: Code.PermissionDenied,
  INVALID_TRANSACTION_STATE: Code.FailedPrecondition,
  CURRENCY_MISMATCH: Code.FailedPrecondition,
  AMOUNT_EXCEEDS_HOLD: Code.FailedPrecondition,
  ALREADY_SETTLED_DIFFERENTLY: Code.FailedPrecondition,
  GROUP_NOT_FOUND: Code.NotFound,
  ACCOUNT_CLOSED: Code.FailedPrecondition,
  ACCOUNT_FROZEN: Code.FailedPrecondition,
  ACCOUNT_NOT_EMPTY: Code.FailedPrecondition,
  LINKED_ENTRY_FAILED: Code.Aborted,
  DISPUTE_ALREADY_DECIDED: Code.FailedPrecondition,
  TOO_MUCH_EVIDENCE: Code.FailedPrecondition,
  DEPOSIT_ID_REUSED: Code.AlreadyExists,
  WITHDRAWAL_ID_REUSED: Code.AlreadyExists,
  WITHDRAWAL_ID_BURNT: Code.FailedPrecondition,
  CREDIT_ID_REUSED: Code.AlreadyExists,
  REQUEST_ID_REUSED: Code.AlreadyExists,
  EVENT_ID_REUSED: Code.AlreadyExists,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  LEDGER_BUSY: Code.ResourceExhausted,
} as const satisfies Record<Reason, Code>;
