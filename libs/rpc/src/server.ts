import {
  type deserialize,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  setLogger,
} from "@grpc/grpc-js";
import { type Binding, type Guard, routesOf } from "./binding.ts";
import type { IncomingCall } from "./call.ts";
import type { Codes } from "./code.ts";
import { createDesk, type Desk } from "./desk.ts";
import type { FinishedCall } from "./finished-call.ts";
import { served } from "./handlers.ts";
import { createHealth } from "./health.ts";
import { type Listener, listenOn } from "./listener.ts";
import { createReflection } from "./reflection.ts";
import { Rejection } from "./rejection.ts";
import { decoder } from "./validation.ts";

/** How to serve. */
export interface ServeOptions {
  /** `127.0.0.1:7401`; port 0 takes a free one. */
  readonly listen: string;
  /** Domain of the reasons, such as `bourse.registry`. */
  readonly domain: string;
  readonly bindings: readonly Binding[];
  readonly codes: Codes;
  readonly guard: Guard;
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
  hushHeaders();
  const server = createServer(desk.maxMessageBytes);
  for (const binding of bindings) register(server, desk, binding, guard);
  for (const binding of open) register(server, desk, binding, undefined);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = await listenOn(options.listen, injector.injectConnection, desk.onError);
  let drained: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    health.set(false);
    drained ??= shutDown({ server, listener, calls: desk.calls }, drainMs);
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

/**
 * Keeps headers of callers, which may be tokens, out of our output: grpc-js writes those down that
 * are no ASCII. Its other lines are let through.
 */
function hushHeaders(): void {
  setLogger({
    error: (line: string) => {
      if (!/Failed to add metadata entry/.test(line)) process.stderr.write(`grpc-js: ${line}\n`);
    },
  });
}

function createServer(maxMessageBytes: number): Server {
  return new Server({
    // Above our own limit, which answers with details; beyond this the transport refuses without
    // reading on.
    "grpc.max_receive_message_length": maxMessageBytes * 2,
    "grpc.enable_channelz": 0,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // Lets clients meet new replicas; streams are cut with UNAVAILABLE after the grace and come
    // back.
    "grpc.max_connection_age_ms": 30 * 60_000,
    "grpc.max_connection_age_grace_ms": 10 * 60_000,
  });
}

function register(server: Server, desk: Desk, binding: Binding, guard: Guard | undefined): void {
  for (const route of routesOf(binding, guard)) {
    const { type, func } = served(desk, route);
    const added = server.register(
      `/${route.name}`,
      func as unknown as handleUnaryCall<object, Buffer>,
      (bytes: Buffer) => bytes,
      decoder(route.input, desk.maxMessageBytes) as deserialize<object>,
      type,
    );
    if (!added) throw new Error(`${route.name} is bound twice`);
  }
}

interface Running {
  readonly server: Server;
  readonly listener: Listener;
  readonly calls: ReadonlySet<IncomingCall>;
}

async function shutDown({ server, listener, calls }: Running, limitMs: number): Promise<void> {
  const answered = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const closed = Promise.all([listener.close(), answered]);
  const end = (which: (call: IncomingCall) => boolean): void => {
    for (const call of [...calls].filter(which)) call.abort(shuttingDown());
  };
  const streams = setTimeout(
    () => end((call) => call.route.kind !== "unary"),
    Math.min(STREAM_GRACE_MS_MAX, limitMs / 4),
  );
  const all = setTimeout(() => {
    end(() => true);
    // The answers must be on their way before the connections are cut. By us: what grpc-js has for it
    // does nothing while channelz is off, and never to a caller who keeps his end of a connection.
    setImmediate(() => listener.cut());
  }, limitMs);
  await closed;
  clearTimeout(streams);
  clearTimeout(all);
}

function shuttingDown(): Rejection {
  return new Rejection("SHUTTING_DOWN", "the server is shutting down");
}
