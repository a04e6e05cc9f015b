/** Why the registry refuses; every reason has its gRPC code in rejections.ts. */
export type Reason =
  | "AGENT_ALREADY_REGISTERED"
  | "AGENT_ERASED"
  | "AGENT_NOT_FOUND"
  | "AVAILABILITY_UNAVAILABLE"
  | "DUPLICATE_AGENT_ID"
  | "ERASURE_NOT_FOUND"
  | "ETAG_MISMATCH"
  | "INVALID_PAGE_TOKEN"
  | "INVALID_PROFILE"
  | "INVALID_RESUME_TOKEN"
  | "OUTCOME_ID_REUSED"
  | "REQUEST_ID_REUSED"
  | "UNKNOWN_FIELD";
