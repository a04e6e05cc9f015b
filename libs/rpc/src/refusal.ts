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
import { TRANSPORT_DOMAIN } from "./failure.ts";
import { domainOf, faultsOf, metadataOf, reasonOf, retryAfterOf } from "./reason.ts";
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

/** What our caller is told of them when a transport gave the text: that names what is behind us. */
const PASSED_ON_TEXTS: Readonly<Partial<Record<Code, string>>> = {
  [Code.Unavailable]: "a service that this one needs is not available",
  [Code.DeadlineExceeded]: "a service that this one needs took too long",
  [Code.Canceled]: "the call has been cancelled",
};

/**
 * Clients refuse header blocks above 8 KiB (Java) or 16 KiB (C++). Details (base64 of these bytes),
 * message, ids and the transport's own headers stay below the former together.
 */
const DETAIL_BYTES_MAX = 5_000;
const MESSAGE_BYTES_MAX = 900;

/** A fault takes 20 bytes at least, so that no more than these can fit. */
const FAULTS_MAX = DETAIL_BYTES_MAX / 20;

/** Characters of a metadata value that are kept; the next smaller number is tried when all is too long. */
const VALUE_LENGTHS_MAX = [1_000, 100] as const;

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
  const ofTransport = thrown.isWireError && domainOf(thrown) === TRANSPORT_DOMAIN;
  return {
    code: thrown.code,
    reason: reasonOf(thrown) ?? codeName(thrown.code).toUpperCase(),
    message: (ofTransport ? PASSED_ON_TEXTS[thrown.code] : undefined) ?? thrown.rawMessage,
    metadata: metadataOf(thrown),
    faults: faultsOf(thrown),
    retryAfterMs: retryAfterOf(thrown),
  };
}

function bug(error: unknown): Refusal {
  const retryAfterMs = undefined;
  const [code, reason, message] = [Code.Internal, "INTERNAL", "internal error"] as const;
  return { code, reason, message, metadata: {}, faults: [], retryAfterMs, error };
}

/** The part of a message text that may stand in a `grpc-message` header. */
export function wireMessage(message: string): string {
  const text = message.slice(0, MESSAGE_BYTES_MAX).toWellFormed();
  if (encodeURI(text).length <= MESSAGE_BYTES_MAX) return text;
  let bytes = 0;
  let length = 0;
  for (const letter of text) {
    bytes += encodeURI(letter).length;
    if (bytes > MESSAGE_BYTES_MAX) break;
    length += letter.length;
  }
  return text.slice(0, length);
}

/**
 * The bytes of `grpc-status-details-bin`: ErrorInfo always, BadRequest and RetryInfo where they
 * apply. What does not fit is left out: faults first, then the ends of metadata values, then these.
 */
export function encodeDetails(refusal: Refusal, domain: string, requestId: string): Buffer {
  const message = wireMessage(refusal.message);
  const encode = (metadata: Refusal["metadata"], faults: readonly Fault[]): Buffer => {
    const details = detailsOf({ ...refusal, metadata }, domain, requestId, faults);
    const status = create(StatusSchema, { code: refusal.code, message, details });
    return asBuffer(toBinary(StatusSchema, status));
  };
  for (const most of VALUE_LENGTHS_MAX) {
    const metadata = shortened(refusal.metadata, most);
    let kept = Math.min(refusal.faults.length, FAULTS_MAX);
    for (;;) {
      const bytes = encode(metadata, refusal.faults.slice(0, kept));
      if (bytes.length <= DETAIL_BYTES_MAX) return bytes;
      if (kept === 0) break;
      kept = Math.floor(kept / 2);
    }
  }
  return encode({}, []);
}

function shortened(metadata: Refusal["metadata"], most: number): Refusal["metadata"] {
  const values = Object.entries(metadata).map(([name, value]) => [
    name,
    value.length <= most ? value : `${value.slice(0, most).toWellFormed()}\u2026`,
  ]);
  return Object.fromEntries(values);
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
  if (refusal.retryAfterMs !== undefined && Number.isFinite(refusal.retryAfterMs)) {
    const retryDelay = durationFromMs(Math.ceil(Math.max(0, refusal.retryAfterMs)));
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  return details;
}

/** The trailers that tell of a refusal. */
export function statusTrailers(refusal: Refusal, domain: string, requestId: string): string[] {
  return [
    // Connect's codes are gRPC's numbers.
    ...["grpc-status", String(refusal.code)],
    ...["grpc-message", encodeURI(wireMessage(refusal.message))],
    ...["grpc-status-details-bin", encodeDetails(refusal, domain, requestId).toString("base64")],
  ];
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
