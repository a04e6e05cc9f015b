import { Code } from "@connectrpc/connect";
import type { Reason } from "./reasons.ts";

/** The gRPC code of each reason. */
export const codes = {
  AGENT_ALREADY_REGISTERED: Code.AlreadyExists,
  AGENT_CHANGED: Code.InvalidArgument,
  AGENT_ERASED: Code.FailedPrecondition,
  AGENT_FULL: Code.ResourceExhausted,
  AGENT_NOT_AVAILABLE: Code.FailedPrecondition,
  AGENT_NOT_FOUND: Code.NotFound,
  AGENT_WITHOUT_ENDPOINT: Code.FailedPrecondition,
  AVAILABILITY_UNAVAILABLE: Code.Unavailable,
  BREAKERS_UNAVAILABLE: Code.Unavailable,
  CARD_NOT_SIGNED: Code.FailedPrecondition,
  DUPLICATE_AGENT_ID: Code.InvalidArgument,
  ERASURE_NOT_FOUND: Code.NotFound,
  ETAG_MISMATCH: Code.Aborted,
  INVALID_AGENT_CARD: Code.InvalidArgument,
  INVALID_CARD_SIGNATURE: Code.InvalidArgument,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  INVALID_PROFILE: Code.InvalidArgument,
  INVALID_RESUME_TOKEN: Code.InvalidArgument,
  OUTCOME_ID_REUSED: Code.AlreadyExists,
  REGISTRY_BUSY: Code.ResourceExhausted,
  REQUEST_ID_REUSED: Code.AlreadyExists,
  SLOT_NOT_FOUND: Code.NotFound,
  TOO_MANY_SLOTS: Code.ResourceExhausted,
  UNKNOWN_FIELD: Code.InvalidArgument,
} as const satisfies Record<Reason, Code>;
