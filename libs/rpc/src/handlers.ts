import { setImmediate as immediate } from "node:timers/promises";
import { create, type DescMessage, isMessage, type Message, toBinary } from "@bufbuild/protobuf";
import type { IncomingCall } from "./call.ts";
import type { Desk } from "./desk.ts";
import { EncodedMessage, EncodedMessages } from "./encoded.ts";
import { tooLarge } from "./validation.ts";
import type { WireCall } from "./wire-call.ts";

/** Answers a call by its handler; never throws. */
export function answer(desk: Desk, call: IncomingCall, wire: WireCall): void {
  try {
    const admission = call.admit();
    if (admission === undefined) admitted(desk, call, wire);
    else admission.then(() => admitted(desk, call, wire)).catch((thrown) => call.fail(thrown));
  } catch (thrown) {
    call.fail(thrown);
  }
}

function admitted(desk: Desk, call: IncomingCall, wire: WireCall): void {
  if (call.finished) return;
  if (call.route.kind === "unary") unary(desk, call, wire);
  else streaming(desk, call, wire).catch((thrown) => call.fail(thrown));
}

/** By callbacks: the promises of a function that waits cost more here than all that it does. */
function unary(desk: Desk, call: IncomingCall, wire: WireCall): void {
  const fail = (thrown: unknown): void => call.fail(thrown);
  const succeed = (response: unknown): void => {
    try {
      call.succeed(encode(desk, call, response));
    } catch (thrown) {
      fail(thrown);
    }
  };
  wire.onlyMessage((bytes) => {
    // The rest of a request may come right after its deadline.
    if (call.finished) return;
    try {
      const response = handled(call, call.read(bytes));
      if (response instanceof Promise) response.then(succeed, fail);
      else succeed(response);
    } catch (thrown) {
      fail(thrown);
    }
  }, fail);
}

async function streaming(desk: Desk, call: IncomingCall, wire: WireCall): Promise<void> {
  switch (call.route.kind) {
    case "client_streaming":
      return clientStreaming(desk, call, wire);
    case "server_streaming":
      return serverStreaming(desk, call, wire);
    default:
      return pump(desk, call, handled(call, received(call, wire)));
  }
}

async function clientStreaming(desk: Desk, call: IncomingCall, wire: WireCall): Promise<void> {
  call.succeed(encode(desk, call, await handled(call, received(call, wire))));
}

async function serverStreaming(desk: Desk, call: IncomingCall, wire: WireCall): Promise<void> {
  const bytes = await new Promise<Buffer>((take, fail) => wire.onlyMessage(take, fail));
  if (call.finished) return;
  await pump(desk, call, handled(call, call.read(bytes)));
}

function handled(call: IncomingCall, request: unknown): unknown {
  return call.route.handler(request as never, call);
}

/**
 * Writes what the handler yields, no faster than the caller reads. A call that ends before that
 * lets go of the handler's iterator at once, which runs its `finally`; one that is no generator need
 * not look at the signal to be told.
 */
async function pump(desk: Desk, call: IncomingCall, output: unknown): Promise<void> {
  const messages = (output as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  const release = (): void => void letGo(messages).catch((thrown: unknown) => call.fail(thrown));
  if (call.finished) return release();
  call.cancellation.addEventListener("abort", release);
  for (;;) {
    let next: IteratorResult<unknown>;
    try {
      next = await messages.next();
    } catch (thrown) {
      // What has failed holds nothing any more.
      call.cancellation.removeEventListener("abort", release);
      throw thrown;
    }
    if (next.done === true) break;
    if (call.finished) return;
    if (!send(desk, call, next.value)) await call.writable();
    if (call.finished) return;
  }
  call.cancellation.removeEventListener("abort", release);
  call.succeed();
}

async function letGo(messages: AsyncIterator<unknown>): Promise<void> {
  await messages.return?.();
}

/**
 * The request messages of a streaming call, each checked; one that fails the check ends the call
 * whatever the handler does.
 */
async function* received(call: IncomingCall, wire: WireCall): AsyncGenerator<Message> {
  try {
    while (await wire.more()) {
      for (const bytes of wire.take()) yield call.read(bytes);
    }
    wire.endRequest();
    await cancellationAfterEnd(call);
  } catch (thrown) {
    if (!call.finished) call.fail(thrown);
    throw call.signal.reason;
  }
  if (call.finished) throw call.signal.reason;
}

/**
 * Node's HTTP/2 clients cancel by ending their side first and resetting the stream right after.
 * Half of an input must not be taken for the whole, so the reset gets a few turns of the loop to
 * arrive.
 */
async function cancellationAfterEnd(call: IncomingCall): Promise<void> {
  for (let turn = 0; turn < 4 && !call.finished; turn += 1) await immediate();
}

/** False when no more should follow before the call is writable. */
function send(desk: Desk, call: IncomingCall, message: unknown): boolean {
  if (!(message instanceof EncodedMessages) || message.schema !== call.route.output) {
    return call.send([encode(desk, call, message)]);
  }
  const tooLong = message.all.find((bytes) => bytes.length > desk.maxMessageBytes);
  if (tooLong !== undefined) throw tooLarge("response", tooLong.length, desk.maxMessageBytes);
  return call.send(message.all);
}

function encode(desk: Desk, call: IncomingCall, response: unknown): Uint8Array {
  const bytes = bytesOf(call.route.output, response);
  if (bytes.length > desk.maxMessageBytes) {
    throw tooLarge("response", bytes.length, desk.maxMessageBytes);
  }
  return bytes;
}

function bytesOf(output: DescMessage, response: unknown): Uint8Array {
  if (response instanceof EncodedMessage && response.schema === output) return response.bytes;
  const message = isMessage(response, output) ? response : create(output, response as Message);
  return toBinary(output, message);
}
