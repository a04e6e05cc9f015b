/** The error codes of x402 v2, and the one that `upto` adds. */
export type Code =
  | "invalid_x402_version"
  | "invalid_payment_requirements"
  | "invalid_payload"
  | "unsupported_scheme"
  | "invalid_scheme"
  | "invalid_network"
  | "invalid_exact_evm_payload_signature"
  | "invalid_exact_evm_payload_recipient_mismatch"
  | "invalid_exact_evm_payload_authorization_valid_before"
  | "invalid_exact_evm_payload_authorization_valid_after"
  | "invalid_exact_evm_payload_authorization_value_mismatch"
  | "invalid_upto_evm_payload_settlement_exceeds_amount"
  | "invalid_transaction_state"
  | "insufficient_funds"
  | "unexpected_verify_error"
  | "unexpected_settle_error";

/** Why a payment is no good. */
export interface Fault {
  readonly code: Code;
  /** For people; it repeats nothing that the caller sent. */
  readonly message: string;
  /** Whether the request could not even be read. */
  readonly malformed?: boolean;
}
