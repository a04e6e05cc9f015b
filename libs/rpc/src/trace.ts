import { randomFillSync } from "node:crypto";
import { type CallOptions, createContextKey, type HandlerContext } from "@connectrpc/connect";

/**
 * In a handler: the id of the request, taken from `x-request-id` or made; "" outside a served call.
 */
export const requestIdKey = createContextKey("", { description: "request id" });

/**
 * In a handler: the 32 hex digits of the trace, taken from `traceparent` or made; "" outside a
 * served call.
 */
export const traceIdKey = createContextKey("", { description: "trace id" });

/** Name of the header that carries the request id. */
export const REQUEST_ID_HEADER = "x-request-id";

/** Name of the header that carries the W3C trace context. */
export const TRACE_HEADER = "traceparent";

const REQUEST_ID = /^[\w.:-]{1,128}$/;
const TRACE_PARENT = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

// One system call fills the pool for some hundred calls, and one conversion serves some of them;
// not all of them, since an id keeps the text in memory that it is a part of.
const pool = Buffer.allocUnsafe(8192);
const CHUNK_BYTES = 256;
let drawn = pool.length;
let chunk = "";
let used = 0;

/** Random hex digits. */
function hex(digits: number): string {
  if (used + digits > chunk.length) {
    if (drawn === pool.length) {
      randomFillSync(pool);
      drawn = 0;
    }
    chunk = pool.toString("hex", drawn, drawn + CHUNK_BYTES);
    drawn += CHUNK_BYTES;
    used = 0;
  }
  used += digits;
  return chunk.slice(used - digits, used);
}

/** The caller's request id when it is fit for a log line, else a new one of 32 hex digits. */
export function acceptRequestId(header: string | undefined): string {
  return header !== undefined && REQUEST_ID.test(header) ? header : hex(32);
}

/** The trace id of a valid `traceparent`, else a new one. */
export function acceptTraceId(header: string | undefined): string {
  return (header === undefined ? undefined : TRACE_PARENT.exec(header)?.[1]) ?? hex(32);
}

/** A `traceparent` for a new span of the trace, marked as sampled. */
export function traceParent(traceId: string): string {
  return `00-${traceId}-${hex(16)}-01`;
}

/**
 * The smallest and the largest part of a call's time that is kept back for saying what went wrong.
 */
const SHAVE_MS_MAX = 20;

/**
 * The milliseconds of `remainingMs` that may be used: 10 % but at most 20 ms are kept back for the
 * answer.
 */
export function shave(remainingMs: number): number {
  return remainingMs - Math.min(SHAVE_MS_MAX, remainingMs / 10);
}

/**
 * Options of an outgoing call made on behalf of an incoming one: it ends with it, has a little less
 * time than is left, and bears its request and trace ids.
 */
export function callOptions(
  ctx: HandlerContext,
): Pick<CallOptions, "timeoutMs"> & { signal: AbortSignal; headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  const requestId = ctx.values.get(requestIdKey);
  const traceId = ctx.values.get(traceIdKey);
  if (requestId !== "") headers[REQUEST_ID_HEADER] = requestId;
  if (traceId !== "") headers[TRACE_HEADER] = traceParent(traceId);
  const remainingMs = ctx.timeoutMs();
  return remainingMs === undefined
    ? { signal: ctx.signal, headers }
    : { signal: ctx.signal, headers, timeoutMs: Math.max(0, shave(remainingMs)) };
}
