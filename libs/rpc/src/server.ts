import type { Socket } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { type Binding, type Guard, type Route, routesOf } from "./binding.ts";
import { IncomingCall } from "./call.ts";
import { type Codes, codeName } from "./code.ts";
import { createDesk, type Desk } from "./desk.ts";
import type { FinishedCall } from "./finished-call.ts";
import { answer } from "./handlers.ts";
import { createHealth } from "./health.ts";
import { Connection } from "./http2/connection.ts";
import type { Stream } from "./http2/stream.ts";
import { type Listener, listenOn } from "./listener.ts";
import { ANONYMOUS, formatPrincipal } from "./principal.ts";
import { createReflection } from "./reflection.ts";
import { refusalOf, statusTrailers } from "./refusal.ts";
import { Rejection } from "./rejection.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { acceptRequestId, acceptTraceId, REQUEST_ID_HEADER, TRACE_HEADER } from "./trace.ts";
import { WireCall } from "./wire-call.ts";

/** How to serve. */
export interface ServeOptions {
  /** `127.0.0.1:7401`; port 0 takes a free one. */
  readonly listen: string;
  /** Domain of the reasons, such as `bourse.registry`. */
  readonly domain: string;
  readonly bindings: readonly Binding[];
  readonly codes: Codes;
  readonly guard: Guard;
  /**
   * Methods that are asked the same again and again. Their handlers are given the same message for the same request,
   * which they must not change.
   */
  readonly repeated?: readonly DescMethod[] | undefined;
  readonly onFinished?: ((call: FinishedCall) => void) | undefined;
  /** Is given errors that belong to no answer: thrown after it, or by `onFinished`. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /**
   * Turns what a handler threw into what its caller is told of, such as a lost database into a
   * Rejection; what it does not know it returns as it is.
   */
  readonly interpret?: ((thrown: unknown) => unknown) | undefined;
  /** How long calls in flight may take once `drain` was called; default 10,000. */
  readonly drainMs?: number | undefined;
  /** Largest message taken or given, before compression; default 4 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** What all requests that are not whole yet may take together; default 256 MiB. */
  readonly maxIntakeBytes?: number | undefined;
  /** How long a message may take to come in, from its first bytes on; default 30,000. */
  readonly stallMs?: number | undefined;
  /** Health at the start; default true. */
  readonly serving?: boolean | undefined;
}

/** A running server; disposing drains it. */
export interface RpcServer extends AsyncDisposable {
  readonly port: number;
  /** `host:port` as bound. */
  readonly address: string;
  /** Sets the health of all services. */
  setServing(serving: boolean): void;
  /**
   * Stops: health is NOT_SERVING, no new calls; streams end with SHUTTING_DOWN after a moment (a
   * quarter of the limit, at most a second), other calls at the limit. Resolves when all is closed;
   * may be called again.
   */
  drain(): Promise<void>;
}

const DEFAULT_DRAIN_MS = 10_000;
const STREAM_GRACE_MS_MAX = 1_000;

/**
 * Serves the bindings, health and reflection; rejects with an error that names the address if it
 * cannot listen there.
 */
export async function serve(options: ServeOptions): Promise<RpcServer> {
  const { bindings, guard, drainMs = DEFAULT_DRAIN_MS } = options;
  const desk = createDesk(options);
  const descs = bindings.map((binding) => binding.desc);
  const health = createHealth(
    descs.map((desc) => desc.typeName),
    options.serving ?? true,
  );
  const open = [health.binding, ...createReflection([...descs, health.binding.desc])];
  const routes = new Map<string, Route>();
  const { repeated = [] } = options;
  for (const binding of bindings) enter(routes, routesOf(binding, guard, repeated));
  for (const binding of open) enter(routes, routesOf(binding, undefined, []));

  const sessions = createSessions();
  const accept = (socket: Socket): void => {
    const connection = new Connection(socket, {
      onStream: (stream) => take(desk, routes, stream),
      onGone: () => sessions.remove(connection),
      onError: desk.onError,
    });
    sessions.add(connection);
  };
  const listener = await listenOn(options.listen, accept, desk.onError);
  let drained: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    health.set(false);
    drained ??= shutDown({ sessions, listener, calls: desk.calls }, drainMs);
    return drained;
  };
  return {
    port: listener.port,
    address: options.listen.replace(/:\d+$/, `:${listener.port}`),
    setServing: (serving) => health.set(serving && drained === undefined),
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

function enter(routes: Map<string, Route>, more: readonly Route[]): void {
  for (const route of more) {
    const path = `/${route.name}`;
    if (routes.has(path)) throw new Error(`${route.name} is bound twice`);
    routes.set(path, route);
  }
}

/** Takes a call in; what is no gRPC or no method of ours is refused here. */
function take(desk: Desk, routes: ReadonlyMap<string, Route>, stream: Stream): void {
  const wire = new WireCall(stream, desk);
  const route = routes.get(wire.path);
  if (!wire.isGrpc) {
    wire.refuseAsHttp();
  } else if (route === undefined) {
    refuseUnknown(desk, wire);
  } else {
    answer(desk, new IncomingCall(desk, route, wire), wire);
  }
}

/** So much of a name that a caller invented is told. */
const UNKNOWN_NAME_MAX = 200;

function refuseUnknown(desk: Desk, wire: WireCall): void {
  const startedAt = performance.now();
  const unknown = new Rejection("UNIMPLEMENTED", `${wire.path} is no method of this server`);
  const refusal = refusalOf(unknown, desk.codes);
  const requestId = acceptRequestId(wire.header(REQUEST_ID_HEADER));
  wire.refuse(statusTrailers(refusal, desk.domain, requestId));
  desk.onFinished({
    method: wire.path.slice(1, 1 + UNKNOWN_NAME_MAX),
    kind: "unary",
    code: codeName(refusal.code),
    reason: refusal.reason,
    durationMs: performance.now() - startedAt,
    principal: formatPrincipal(ANONYMOUS),
    requestId,
    traceId: acceptTraceId(wire.header(TRACE_HEADER)),
  });
}

interface Running {
  readonly sessions: Sessions;
  readonly listener: Listener;
  readonly calls: Iterable<IncomingCall>;
}

async function shutDown({ sessions, listener, calls }: Running, limitMs: number): Promise<void> {
  const closed = listener.close();
  sessions.close();
  const end = (which: (call: IncomingCall) => boolean): void => {
    for (const call of [...calls].filter(which)) call.abort(shuttingDown());
  };
  const streams = setTimeout(
    () => end((call) => call.route.kind !== "unary"),
    Math.min(STREAM_GRACE_MS_MAX, limitMs / 4),
  );
  const all = setTimeout(() => {
    end(() => true);
    // The answers must be on their way before the connections are cut, also of a caller who keeps
    // his end of one.
    setImmediate(() => listener.cut());
  }, limitMs);
  await closed;
  clearTimeout(streams);
  clearTimeout(all);
}

function shuttingDown(): Rejection {
  return new Rejection("SHUTTING_DOWN", "the server is shutting down");
}
