import { Code } from "@connectrpc/connect";

const NAMES = [
  "ok",
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

/**
 * The lower_snake name of a gRPC status number, "ok" for 0 and "unknown" for a number gRPC does not
 * define.
 */
export function codeName(code: number): string {
  return NAMES[code] ?? "unknown";
}

/** Reason -> gRPC code: one table per service process. */
export type Codes = Readonly<Record<string, Code>>;

/**
 * The reasons this library refuses with itself; a service's own table may not need to name them.
 */
export const LIBRARY_CODES = {
  INVALID_REQUEST: Code.InvalidArgument,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CANCELED: Code.Canceled,
  INTERNAL: Code.Internal,
  UNIMPLEMENTED: Code.Unimplemented,
  UNAVAILABLE: Code.Unavailable,
  SHUTTING_DOWN: Code.Unavailable,
  MESSAGE_TOO_LARGE: Code.ResourceExhausted,
  REQUEST_STALLED: Code.Aborted,
  SERVER_BUSY: Code.ResourceExhausted,
  SERVICE_UNKNOWN: Code.NotFound,
} as const satisfies Codes;
