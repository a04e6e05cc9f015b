import {
  type RefusalReason,
  RefusalReasonSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { Rejection, type RejectionOptions } from "@bourse/rpc/rejection";

/** Every reason that the books and the record refuse with: the names that the contract lists. */
export type Reason = Exclude<keyof typeof RefusalReason, "UNSPECIFIED">;

/**
 * Makes the refusal of a rule; it is returned where a batch goes on and thrown where a call ends.
 */
export function refuse(reason: Reason, message: string, options?: RejectionOptions): Rejection {
  return new Rejection(reason, message, options);
}

/** Every reason in order of precedence, which is the order of the contract. */
export const PRECEDENCE = RefusalReasonSchema.values
  .map(({ localName }) => localName)
  .filter((name): name is Reason => name !== "UNSPECIFIED");

/** Of refusals that all hold, the one that counts; undefined when there is none. */
export function foremost(refusals: readonly (Rejection | undefined)[]): Rejection | undefined {
  const rank = ({ reason }: Rejection) => PRECEDENCE.indexOf(reason as Reason);
  return refusals
    .filter((refusal) => refusal !== undefined)
    .toSorted((a, b) => rank(a) - rank(b))[0];
}
