import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@bourse/proto/google/rpc/error_details_pb.ts";
import { StatusSchema } from "@bourse/proto/google/rpc/status_pb.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Codes, codeName, LIBRARY_CODES } from "./code.ts";
import { faultsOf, metadataOf, reasonOf } from "./reason.ts";
import { type Fault, Rejection } from "./rejection.ts";

/**
 * How a call ends when it does not succeed: what the caller is told, and the cause that it is not
 * told.
 */
export interface Refusal {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;
  /** Only when the code is INTERNAL: what was thrown. */
  readonly error?: unknown;
}

/**
 * Codes of a failed outgoing call that say nothing about our caller's request and so may be passed
 * on to it.
 */
const PASSED_ON: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
]);

/** Clients refuse header blocks above 8 KiB (Java) or 16 KiB (C++); in base64 this is 7 KiB. */
const DETAIL_BYTES_MAX = 5_250;

const MESSAGE_LENGTH_MAX = 1_000;

/**
 * What the caller is told about a thrown value.
 *
 * - A Rejection whose reason the service or this library knows: its code, reason, metadata, faults.
 * - A ConnectError made here: as it is, its reason the name of its code if it has no ErrorInfo.
 * - A ConnectError of an outgoing call: passed on only if it is UNAVAILABLE, DEADLINE_EXCEEDED or
 *   CANCELED.
 * - Anything else is a bug: INTERNAL with a constant text.
 */
export function refusalOf(thrown: unknown, codes: Codes): Refusal {
  if (thrown instanceof Rejection) {
    const code = codes[thrown.reason] ?? (LIBRARY_CODES as Codes)[thrown.reason];
    if (code === undefined) return bug(thrown);
    const { reason, message, metadata, faults, retryAfterMs } = thrown;
    return { code, reason, message, metadata, faults, retryAfterMs };
  }
  if (!(thrown instanceof ConnectError)) return bug(thrown);
  if (thrown.isWireError && !PASSED_ON.has(thrown.code)) return bug(thrown);
  if (thrown.code === Code.Internal || thrown.code === Code.Unknown) return bug(thrown);
  return {
    code: thrown.code,
    reason: reasonOf(thrown) ?? codeName(thrown.code).toUpperCase(),
    message: thrown.rawMessage,
    metadata: metadataOf(thrown),
    faults: faultsOf(thrown),
    retryAfterMs: undefined,
  };
}

function bug(error: unknown): Refusal {
  const retryAfterMs = undefined;
  const [code, reason, message] = [Code.Internal, "INTERNAL", "internal error"] as const;
  return { code, reason, message, metadata: {}, faults: [], retryAfterMs, error };
}

/** The message text as it may stand in a `grpc-message` header. */
export function wireMessage(message: string): string {
  return message.slice(0, MESSAGE_LENGTH_MAX).toWellFormed();
}

/**
 * The bytes of `grpc-status-details-bin`: ErrorInfo always, BadRequest and RetryInfo where they
 * apply.
 */
export function encodeDetails(refusal: Refusal, domain: string, requestId: string): Buffer {
  const { faults } = refusal;
  for (let kept = faults.length; ; kept = Math.floor(kept / 2)) {
    const details = detailsOf(refusal, domain, requestId, faults.slice(0, kept));
    const status = { code: refusal.code, message: wireMessage(refusal.message), details };
    const bytes = toBinary(StatusSchema, create(StatusSchema, status));
    if (bytes.length <= DETAIL_BYTES_MAX || kept === 0) return asBuffer(bytes);
  }
}

function detailsOf(
  refusal: Refusal,
  domain: string,
  requestId: string,
  faults: readonly Fault[],
): Any[] {
  const omitted = refusal.faults.length - faults.length;
  const metadata: Record<string, string> = { ...refusal.metadata, request_id: requestId };
  if (omitted > 0) metadata["faults_omitted"] = String(omitted);
  const info = create(ErrorInfoSchema, { reason: refusal.reason, domain, metadata });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (faults.length > 0) {
    const fieldViolations = faults.map((fault) => ({ ...fault }));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (refusal.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(refusal.retryAfterMs);
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  return details;
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
