import { Rejection } from "@bourse/rpc/rejection";
import { Code } from "@connectrpc/connect";

/** The reasons that discovery refuses with, beside those of every service. */
export type Reason =
  | "NO_ELIGIBLE_AGENTS"
  | "INVALID_PAGE_TOKEN"
  | "SLOTS_UNAVAILABLE"
  | "TOO_MANY_WATCHES";

/** The gRPC code of each reason. */
export const CODES = {
  NO_ELIGIBLE_AGENTS: Code.NotFound,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  SLOTS_UNAVAILABLE: Code.Unavailable,
  TOO_MANY_WATCHES: Code.ResourceExhausted,
} as const satisfies Record<Reason, Code>;

/** The refusal of one filter more than can be followed. */
export function tooManyWatches(): Rejection {
  const reason: Reason = "TOO_MANY_WATCHES";
  return new Rejection(reason, "callers follow as many different filters as are kept here");
}
