import { Code } from "@connectrpc/connect";
import type { Reason } from "./reasons.ts";

/** The gRPC code of each reason. */
export const codes = {
  AGENT_ALREADY_REGISTERED: Code.AlreadyExists,
  AGENT_ERASED: Code.FailedPrecondition,
  AGENT_NOT_FOUND: Code.NotFound,
  AVAILABILITY_UNAVAILABLE: Code.Unavailable,
  DUPLICATE_AGENT_ID: Code.InvalidArgument,
  ERASURE_NOT_FOUND: Code.NotFound,
  ETAG_MISMATCH: Code.Aborted,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  INVALID_PROFILE: Code.InvalidArgument,
  INVALID_RESUME_TOKEN: Code.InvalidArgument,
  OUTCOME_ID_REUSED: Code.AlreadyExists,
  REQUEST_ID_REUSED: Code.AlreadyExists,
  UNKNOWN_FIELD: Code.InvalidArgument,
} as const satisfies Record<Reason, Code>;
