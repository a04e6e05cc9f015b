import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  Code,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import {
  Metadata,
  type ServerErrorResponse,
  type ServerUnaryCall,
  type status,
} from "@grpc/grpc-js";
import type { Route } from "./binding.ts";
import { codeName } from "./code.ts";
import type { Desk } from "./desk.ts";
import { addHeaders, headersOf, readHeaders, textOf } from "./metadata.ts";
import { ANONYMOUS, formatPrincipal, type Principal, principalKey } from "./principal.ts";
import { encodeDetails, type Refusal, refusalOf, wireMessage } from "./refusal.ts";
import { Rejection } from "./rejection.ts";
import {
  acceptRequestId,
  acceptTraceId,
  REQUEST_ID_HEADER,
  requestIdKey,
  shave,
  TRACE_HEADER,
  traceIdKey,
  traceParent,
} from "./trace.ts";
import { Unreadable, validate } from "./validation.ts";

/** The part of the four grpc-js call objects that all of them have. */
export type RawCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  "metadata" | "cancelled" | "sendMetadata" | "getDeadline" | "getPath" | "on" | "once"
>;

/** Sends the end of a call: an error, or the response and its trailers. */
export type Respond = (
  error: ServerErrorResponse | null,
  bytes?: Buffer | null,
  trailers?: Metadata,
) => void;

const COMPLETED = new Rejection("CANCELED", "the call has been answered");

/**
 * One incoming call: the context its handler sees, and the only place where it is answered, once.
 *
 * A class, unlike the rest of the library, because the parts that few handlers look at (signal,
 * headers, values) are made on first use; a closure per part would cost every call what the bare
 * transport costs.
 */
export class IncomingCall implements HandlerContext {
  readonly protocolName = "grpc";
  readonly requestMethod = "POST";
  readonly requestId: string;
  readonly traceId: string;
  readonly route: Route;
  readonly #desk: Desk;
  readonly #raw: RawCall;
  readonly #respond: Respond;
  readonly #startedAt = performance.now();
  /** Milliseconds since the epoch, Infinity for none. */
  readonly #deadline: number;
  #principal: Principal = ANONYMOUS;
  #finished = false;
  #headersSent = false;
  #abortReason: unknown;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #values: ContextValues | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #wake: (() => void) | undefined;

  constructor(desk: Desk, route: Route, raw: RawCall, respond: Respond) {
    this.#desk = desk;
    this.route = route;
    this.#raw = raw;
    this.#respond = respond;
    const deadline = raw.getDeadline();
    this.#deadline = typeof deadline === "number" ? deadline : deadline.getTime();
    this.requestId = acceptRequestId(textOf(raw.metadata, REQUEST_ID_HEADER));
    this.traceId = acceptTraceId(textOf(raw.metadata, TRACE_HEADER));
    desk.calls.add(this);
    // grpc-js emits this at the end of every call; only before the answer does it mean anything.
    raw.on("cancelled", () => {
      if (!this.#finished) this.abort(this.#cancellation());
    });
  }

  get method(): DescMethod {
    return this.route.method;
  }

  get service(): DescService {
    return this.route.method.parent;
  }

  get url(): string {
    return this.#raw.getPath();
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#raw.metadata);
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
    this.#values ??= createContextValues()
      .set(principalKey, this.#principal)
      .set(requestIdKey, this.requestId)
      .set(traceIdKey, this.traceId);
    return this.#values;
  }

  /**
   * Aborts when the call is cancelled, a little before its deadline, when the server stops, and
   * when it is answered.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#finished) this.#controller.abort(this.#abortReason);
      else this.#armTimer();
    }
    return this.#controller.signal;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** A function of its own, so that a handler may take it out of its context. */
  get timeoutMs(): () => number | undefined {
    const deadline = this.#deadline;
    return () => (deadline === Number.POSITIVE_INFINITY ? undefined : deadline - Date.now());
  }

  /** Refuses what comes too late, then asks the guard who calls. */
  async admit(): Promise<void> {
    if (this.#deadline <= Date.now()) throw deadlineExceeded();
    const { guard, method } = this.route;
    if (guard === undefined) return;
    this.#principal = await guard.authenticate(method, readHeaders(this.#raw.metadata));
  }

  /**
   * Throws unless the message was readable, keeps the rules of the contract, and is the caller's to
   * send.
   */
  check(message: object): void {
    if (message instanceof Unreadable) throw message.rejection;
    const { guard, method, input } = this.route;
    validate(input, message as Message);
    guard?.authorize(method, this.#principal, message as Message);
  }

  /**
   * Sends the response headers; a call that is refused before this can be tried again by the
   * client's transport.
   */
  sendHeaders(): void {
    if (this.#headersSent) return;
    this.#headersSent = true;
    this.#raw.sendMetadata(this.#echo(this.#responseHeader));
  }

  /** Answers with success. */
  succeed(bytes?: Buffer): void {
    if (this.#finished) return;
    this.sendHeaders();
    const trailers = this.#responseTrailer;
    this.#respond(null, bytes, trailers && addHeaders(new Metadata(), trailers));
    if (this.#raw.cancelled) this.#finish(refusalOf(this.#cancellation(), this.#desk.codes));
    else this.#finish(undefined);
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
    const metadata = this.#echo(trailers);
    const bytes = encodeDetails(refusal, this.#desk.domain, this.requestId);
    metadata.set("grpc-status-details-bin", bytes);
    const details = wireMessage(refusal.message);
    // Connect's codes are gRPC's numbers.
    const code = refusal.code as number as status;
    this.#respond(Object.assign(new Error(details), { code, details, metadata }));
  }

  /** Ends the call from outside: answers at once, and tells the handler through its signal. */
  abort(reason: Rejection): void {
    if (!this.#finished) this.fail(reason);
  }

  /** Resolves when the writable takes more, or the call is over. */
  writable(): Promise<void> {
    if (this.#finished) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#raw.once("drain", resolve);
    });
  }

  /** Makes the deadline end the call even if nobody looks at the signal. */
  #armTimer(): void {
    if (this.#deadline === Number.POSITIVE_INFINITY) return;
    // Earlier than the transport's own timer, whose answer has no details.
    const leftMs = Math.max(0, shave(this.#deadline - Date.now()));
    this.#timer = setTimeout(() => this.abort(deadlineExceeded()), leftMs);
  }

  #finish(refusal: Refusal | undefined, reason: unknown = COMPLETED): void {
    this.#finished = true;
    this.#abortReason = reason;
    this.#desk.calls.delete(this);
    clearTimeout(this.#timer);
    this.#desk.onFinished({
      method: this.route.name,
      kind: this.route.kind,
      code: codeName(refusal?.code ?? 0),
      reason: refusal?.reason ?? "",
      durationMs: performance.now() - this.#startedAt,
      principal: formatPrincipal(this.#principal),
      requestId: this.requestId,
      traceId: this.traceId,
      ...(refusal?.error === undefined ? undefined : { error: refusal.error }),
    });
    this.#controller?.abort(reason);
    this.#wake?.();
  }

  #cancellation(): Rejection {
    if (this.#deadline <= Date.now()) return deadlineExceeded();
    return new Rejection("CANCELED", "the caller has cancelled the call");
  }

  #echo(headers: Headers | undefined): Metadata {
    const metadata = new Metadata();
    if (headers !== undefined) addHeaders(metadata, headers);
    metadata.set(REQUEST_ID_HEADER, this.requestId);
    metadata.set(TRACE_HEADER, traceParent(this.traceId));
    return metadata;
  }
}

function deadlineExceeded(): Rejection {
  return new Rejection("DEADLINE_EXCEEDED", "the deadline of the call has passed");
}

function isAbort(thrown: unknown): boolean {
  return (
    thrown instanceof Error && (thrown.name === "AbortError" || thrown.name === "TimeoutError")
  );
}
