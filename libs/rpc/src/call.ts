import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { Code, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import type { Route } from "./binding.ts";
import { CallValues } from "./call-values.ts";
import { CallCancellation } from "./cancellation.ts";
import { codeName } from "./code.ts";
import { deadlineOf } from "./deadline.ts";
import type { Desk } from "./desk.ts";
import { deadlineExceeded, malformedTimeout, stalled } from "./endings.ts";
import type { Fields } from "./http2/request-head.ts";
import { incomingHeaders, outgoingHeaders, readHeaders } from "./metadata.ts";
import { ANONYMOUS, formatPrincipal, type Principal } from "./principal.ts";
import { type Refusal, refusalOf, statusTrailers } from "./refusal.ts";
import { Rejection } from "./rejection.ts";
import {
  acceptRequestId,
  acceptTraceId,
  REQUEST_ID_HEADER,
  shave,
  TRACE_HEADER,
  traceParent,
} from "./trace.ts";
import { decode } from "./validation.ts";
import type { WireCall, WireListener } from "./wire-call.ts";

const OK_TRAILERS: Fields = ["grpc-status", "0"];
/** Node takes a longer time for none at all; no connection lives for so many days. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const COMPLETED = new Rejection("CANCELED", "the call has been answered");

/**
 * One incoming call: the context its handler sees, and the only place where it is answered, once.
 *
 * A class, unlike the rest of the library, because the parts that few handlers look at (signal,
 * headers, values) are made on first use; a closure per part would cost every call what the bare
 * transport costs.
 */
export class IncomingCall implements HandlerContext, WireListener {
  readonly protocolName = "grpc";
  readonly requestMethod = "POST";
  readonly requestId: string;
  readonly traceId: string;
  readonly route: Route;
  /** What `cancellationOf` gives. */
  readonly cancellation = new CallCancellation();
  /** Of nobody before the call is admitted. */
  principal: Principal = ANONYMOUS;
  readonly #desk: Desk;
  readonly #wire: WireCall;
  /** Among the calls of the desk. */
  readonly #slot: number;
  readonly #startedAt = performance.now();
  /** Milliseconds since the epoch, Infinity for none. */
  readonly #deadline: number;
  #finished = false;
  #timer: NodeJS.Timeout | undefined;
  #values: ContextValues | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #wake: (() => void) | undefined;

  constructor(desk: Desk, route: Route, wire: WireCall) {
    this.#desk = desk;
    this.route = route;
    this.#wire = wire;
    this.#deadline = deadlineOf(wire.header("grpc-timeout"));
    this.requestId = acceptRequestId(wire.header(REQUEST_ID_HEADER));
    this.traceId = acceptTraceId(wire.header(TRACE_HEADER));
    this.#slot = desk.calls.add(this);
    wire.listener = this;
    this.#armTimer();
  }

  get method(): DescMethod {
    return this.route.method;
  }

  get service(): DescService {
    return this.route.method.parent;
  }

  get url(): string {
    return this.#wire.path;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= incomingHeaders(this.#wire.head.fields);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= new CallValues(this);
    return this.#values;
  }

  /**
   * Aborts when the call is cancelled, a little before its deadline, when the server stops, and
   * when it is answered.
   */
  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** A function of its own, so that a handler may take it out of its context. */
  get timeoutMs(): () => number | undefined {
    const deadline = this.#deadline;
    return () => (deadline === Number.POSITIVE_INFINITY ? undefined : deadline - Date.now());
  }

  /** Refuses what comes too late, then asks the guard who calls; a promise only if the guard needs one. */
  admit(): Promise<void> | undefined {
    if (Number.isNaN(this.#deadline)) throw malformedTimeout();
    if (this.#deadline <= Date.now()) throw deadlineExceeded();
    const { guard, method } = this.route;
    if (guard === undefined) return undefined;
    const principal = guard.authenticate(method, readHeaders(this.#wire));
    if (principal instanceof Promise) return principal.then((known) => this.#admitted(known));
    this.#admitted(principal);
    return undefined;
  }

  #admitted(principal: Principal): void {
    this.principal = principal;
  }

  /**
   * Reads a message. Throws unless it is readable, keeps the rules of the contract, and is the
   * caller's to send.
   */
  read(bytes: Buffer): Message {
    const { guard, method, input, known } = this.route;
    const message = known === undefined ? decode(input, bytes) : known.read(bytes);
    guard?.authorize(method, this.principal, message);
    return message;
  }

  /**
   * Sends the response headers; a call that is refused before this can be tried again by the
   * client's transport.
   */
  sendHeaders(): void {
    if (!this.#wire.headersSent) this.#wire.sendHeaders(this.#echo(this.#responseHeader));
  }

  /** Answers with success. */
  succeed(bytes?: Uint8Array): void {
    if (this.#finished) return;
    this.sendHeaders();
    const trailers = this.#responseTrailer;
    this.#wire.end(
      bytes,
      trailers === undefined ? OK_TRAILERS : [...outgoingHeaders(trailers), ...OK_TRAILERS],
    );
    this.#finish(undefined);
  }

  /** Sends some messages of many; false when no more should follow before `writable`. */
  send(messages: readonly Uint8Array[]): boolean {
    this.sendHeaders();
    return this.#wire.write(messages);
  }

  /**
   * Answers with what a thrown value means; when the call is answered already, a bug still goes to
   * `onError`.
   */
  fail(thrown: unknown): void {
    const refusal = refusalOf(this.#desk.interpret(thrown), this.#desk.codes);
    if (this.#finished) {
      if (refusal.code === Code.Internal && !isAbort(thrown)) this.#desk.onError(thrown);
      return;
    }
    const unsent = this.#refuse(refusal, this.#responseTrailer);
    if (unsent === undefined) this.#finish(refusal, thrown);
    else this.#finish(unsent, unsent.error);
  }

  /**
   * Answers with a refusal; with the bug instead, which is returned, when a trailer or a detail is
   * none that gRPC can send: the caller must not be left without an answer.
   */
  #refuse(refusal: Refusal, trailers: Headers | undefined): Refusal | undefined {
    try {
      this.#sendRefusal(refusal, trailers);
      return undefined;
    } catch (cause) {
      const bug = refusalOf(cause, {});
      this.#sendRefusal(bug, undefined);
      return bug;
    }
  }

  #sendRefusal(refusal: Refusal, trailers: Headers | undefined): void {
    const echo = this.#echo(trailers);
    this.#wire.refuse(echo.concat(statusTrailers(refusal, this.#desk.domain, this.requestId)));
  }

  /** Ends the call from outside: answers at once, and tells the handler through its signal. */
  abort(reason: Rejection): void {
    if (!this.#finished) this.fail(reason);
  }

  onGone(): void {
    if (!this.#finished) this.abort(this.#departure());
  }

  onStalled(): void {
    this.abort(stalled());
  }

  /** Resolves when the writable takes more, or the call is over. */
  writable(): Promise<void> {
    if (this.#finished) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#wire.whenWritable(resolve);
    });
  }

  /** Makes the deadline end the call even if nobody looks at the signal. */
  #armTimer(): void {
    if (!Number.isFinite(this.#deadline)) return;
    // A little early, so that the answer is there before the caller gives up.
    const leftMs = Math.min(Math.max(0, shave(this.#deadline - Date.now())), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.abort(deadlineExceeded()), leftMs);
  }

  #finish(refusal: Refusal | undefined, reason: unknown = COMPLETED): void {
    this.#finished = true;
    this.#desk.calls.remove(this.#slot);
    clearTimeout(this.#timer);
    this.#desk.onFinished({
      method: this.route.name,
      kind: this.route.kind,
      code: codeName(refusal?.code ?? 0),
      reason: refusal?.reason ?? "",
      durationMs: performance.now() - this.#startedAt,
      principal: formatPrincipal(this.principal),
      requestId: this.requestId,
      traceId: this.traceId,
      ...(refusal?.error === undefined ? undefined : { error: refusal.error }),
    });
    this.cancellation.abort(reason);
    this.#wake?.();
  }

  #departure(): Rejection {
    if (this.#deadline <= Date.now()) return deadlineExceeded();
    return new Rejection("CANCELED", "the caller has cancelled the call");
  }

  #echo(headers: Headers | undefined): string[] {
    const echo: string[] = headers === undefined ? [] : outgoingHeaders(headers);
    echo.push(REQUEST_ID_HEADER, this.requestId);
    // Who began no trace has no use for ours.
    if (this.#wire.header(TRACE_HEADER) !== undefined) {
      echo.push(TRACE_HEADER, traceParent(this.traceId));
    }
    return echo;
  }
}

function isAbort(thrown: unknown): boolean {
  return (
    thrown instanceof Error && (thrown.name === "AbortError" || thrown.name === "TimeoutError")
  );
}
