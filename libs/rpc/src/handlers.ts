import { setImmediate as immediate } from "node:timers/promises";
import { create, isMessage, type Message, toBinary } from "@bufbuild/protobuf";
import type { Metadata, ServerDuplexStream, ServerErrorResponse } from "@grpc/grpc-js";
import type { Route } from "./binding.ts";
import { IncomingCall, type Respond } from "./call.ts";
import type { Desk } from "./desk.ts";
import { asBuffer } from "./refusal.ts";
import { tooLarge } from "./validation.ts";

/** The grpc-js call object; at run time every kind of call is the duplex or its writable half. */
type Raw = ServerDuplexStream<object, Buffer> & { readonly request: object };

/** A handler as `Server.register` takes it, with the name grpc-js gives its kind. */
export interface Served {
  readonly type: "unary" | "serverStream" | "clientStream" | "bidi";
  readonly func: (raw: Raw, callback: Respond) => void;
}

/** Adapts a Connect handler to grpc-js. */
export function served(desk: Desk, route: Route): Served {
  switch (route.kind) {
    case "unary":
      return {
        type: "unary",
        func: (raw, callback) => {
          void unary(desk, new IncomingCall(desk, route, raw, callback), raw.request);
        },
      };
    case "client_streaming":
      return {
        type: "clientStream",
        func: (raw, callback) => {
          void clientStreaming(desk, new IncomingCall(desk, route, raw, callback), raw);
        },
      };
    case "server_streaming":
      return {
        type: "serverStream",
        func: (raw) => {
          void serverStreaming(desk, new IncomingCall(desk, route, raw, ending(raw)), raw);
        },
      };
    case "bidi_streaming":
      return {
        type: "bidi",
        func: (raw) => {
          void bidiStreaming(desk, new IncomingCall(desk, route, raw, ending(raw)), raw);
        },
      };
  }
}

async function unary(desk: Desk, call: IncomingCall, request: object): Promise<void> {
  try {
    await call.admit();
    if (call.finished) return;
    call.check(request);
    call.succeed(encode(desk, call.route, await call.route.handler(request as never, call)));
  } catch (thrown) {
    call.fail(thrown);
  }
}

async function clientStreaming(desk: Desk, call: IncomingCall, raw: Raw): Promise<void> {
  try {
    call.signal;
    await call.admit();
    if (call.finished) return;
    const response = await call.route.handler(received(call, raw) as never, call);
    call.succeed(encode(desk, call.route, response));
  } catch (thrown) {
    call.fail(thrown);
  }
}

async function serverStreaming(desk: Desk, call: IncomingCall, raw: Raw): Promise<void> {
  try {
    call.signal;
    await call.admit();
    if (call.finished) return;
    call.check(raw.request);
    await pump(desk, call, raw, call.route.handler(raw.request as never, call));
  } catch (thrown) {
    call.fail(thrown);
  }
}

async function bidiStreaming(desk: Desk, call: IncomingCall, raw: Raw): Promise<void> {
  try {
    call.signal;
    await call.admit();
    if (call.finished) return;
    await pump(desk, call, raw, call.route.handler(received(call, raw) as never, call));
  } catch (thrown) {
    call.fail(thrown);
  }
}

/**
 * Writes what the handler yields, no faster than the caller reads; leaving the loop runs the
 * handler's `finally`.
 */
async function pump(desk: Desk, call: IncomingCall, raw: Raw, output: unknown): Promise<void> {
  for await (const message of output as AsyncIterable<unknown>) {
    if (call.finished) break;
    const bytes = encode(desk, call.route, message);
    call.sendHeaders();
    if (!raw.write(bytes)) await call.writable();
    if (call.finished) break;
  }
  call.succeed();
}

/**
 * The request messages of a streaming call, each checked; one that fails the check ends the call
 * whatever the handler does.
 */
async function* received(call: IncomingCall, raw: Raw): AsyncGenerator<object> {
  // Leaving the loop early must not destroy the duplex: the answer is still to be written.
  const messages = raw.iterator({ destroyOnReturn: false });
  try {
    for await (const message of messages) {
      try {
        call.check(message);
      } catch (thrown) {
        call.fail(thrown);
        throw thrown;
      }
      yield message;
    }
    await cancellationAfterEnd(call, raw);
    if (call.finished) throw call.signal.reason;
  } catch (thrown) {
    throw call.finished ? call.signal.reason : thrown;
  }
}

/**
 * Node's HTTP/2 clients cancel by ending their side first and resetting the stream right after.
 * Half of an input must not be taken for the whole, so the reset gets a few turns of the loop to
 * arrive.
 */
async function cancellationAfterEnd(call: IncomingCall, raw: Raw): Promise<void> {
  for (let turn = 0; turn < 4 && !call.finished; turn += 1) {
    await immediate();
    // Makes grpc-js look whether the stream was reset.
    raw._read(0);
  }
}

function encode(desk: Desk, route: Route, response: unknown): Buffer {
  const { output } = route;
  const message = isMessage(response, output) ? response : create(output, response as Message);
  const bytes = toBinary(output, message);
  if (bytes.length > desk.maxMessageBytes) {
    throw tooLarge("response", bytes.length, desk.maxMessageBytes);
  }
  return asBuffer(bytes);
}

/** Ends a call that answers with a stream. */
function ending(raw: Raw): Respond {
  return (error: ServerErrorResponse | null, _bytes, trailers?: Metadata) => {
    if (error === null) raw.end(trailers);
    else raw.emit("error", error);
  };
}
