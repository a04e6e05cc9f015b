import type { RefusalReason } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { Rejection, type RejectionOptions } from "@bourse/rpc/rejection";

/** Every reason that the books and the record refuse with: the names that the contract lists. */
export type Reason = Exclude<keyof typeof RefusalReason, "UNSPECIFIED">;

/**
 * Makes the refusal of a rule; it is returned where a batch goes on and thrown where a call ends.
 */
export function refuse(reason: Reason, message: string, options?: RejectionOptions): Rejection {
  return new Rejection(reason, message, options);
}
