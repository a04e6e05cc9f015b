import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "@bourse/proto/google/rpc/status_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StatusObject } from "@grpc/grpc-js";
import { codeName } from "./code.ts";
import { headersOf } from "./metadata.ts";

/** The domain of reasons that a transport gives. */
export const TRANSPORT_DOMAIN = "grpc";

/**
 * The error of a call that ended with this status; it has an ErrorInfo even if the transport made
 * the status.
 */
export function errorOfStatus(status: StatusObject): ConnectError {
  const code = codeName(status.code) === "unknown" ? Code.Unknown : (status.code as number as Code);
  const error = new ConnectError(status.details, code, headersOf(status.metadata));
  const details = decodeStatus(status)?.details ?? [];
  error.details = details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  if (error.details.length === 0) error.details.push(transportInfo(code, status.details));
  // Tells a handler's own ConnectError from one that a peer sent: only the former is meant for our
  // caller.
  error.isWireError = true;
  return error;
}

/** The error of a call that the caller's own signal ended. */
export function errorOfSignal(signal: AbortSignal): ConnectError {
  const { reason } = signal as { readonly reason: unknown };
  if (reason instanceof ConnectError) return reason;
  const late = reason instanceof Error && reason.name === "TimeoutError";
  const code = late ? Code.DeadlineExceeded : Code.Canceled;
  const text = late ? "the call took too long" : "the call was cancelled";
  const error = new ConnectError(text, code, undefined, undefined, reason);
  error.details.push(transportInfo(code, text));
  error.isWireError = true;
  return error;
}

/** The error of a call that had no time left before it was made. */
export function outOfTime(): ConnectError {
  const text = "no time is left for the call";
  const error = new ConnectError(text, Code.DeadlineExceeded);
  error.details.push(transportInfo(error.code, text));
  error.isWireError = true;
  return error;
}

function decodeStatus(status: StatusObject): Status | undefined {
  const bytes = status.metadata?.get("grpc-status-details-bin")[0];
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    return fromBinary(StatusSchema, new Uint8Array(bytes));
  } catch {
    // Details that cannot be read must not hide the status they belong to.
    return undefined;
  }
}

function transportInfo(code: Code, text: string) {
  const large = code === Code.ResourceExhausted && /larger than/.test(text);
  const reason = large ? "MESSAGE_TOO_LARGE" : codeName(code).toUpperCase();
  return { desc: ErrorInfoSchema, value: { reason, domain: TRANSPORT_DOMAIN } };
}
