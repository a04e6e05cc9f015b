import type { Socket } from "node:net";
import { CompressionError } from "./compression-error.ts";
import { FrameInput } from "./frame-input.ts";
import { ConnectionError, ERROR } from "./frames.ts";
import { Greeting, HTTP1_ANSWER } from "./greeting.ts";
import { Output } from "./output.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import type { Stream } from "./stream.ts";

/** What a connection tells. */
export interface ConnectionListener {
  /** A request has begun; who answers it makes itself the stream's listener. */
  onStream(stream: Stream): void;
  /** The connection is gone, and with it its streams. */
  onGone(): void;
  /** An error of ours, not of the peer's. */
  onError(error: unknown): void;
}

/** With more than this waiting for a peer, we do not listen to it. */
const UNREAD_BYTES_HIGH = 1024 * 1024;

const PING = Buffer.from("bourse..");

/** The server's side of one HTTP/2 connection (RFC 9113). */
export class Connection {
  readonly #socket: Socket;
  readonly #listener: ConnectionListener;
  readonly #greeting = new Greeting();
  readonly #output: Output;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #input: FrameInput;
  #isClosing = false;
  #isGone = false;

  constructor(socket: Socket, listener: ConnectionListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#output = new Output(socket, () => this.#relieved());
    this.#sender = new Sender(this.#output);
    this.#receiver = new Receiver(this.#sender, {
      onStream: (stream) => listener.onStream(stream),
      onIdle: () => this.#leaveIfIdle(),
      onLeaving: () => this.close(),
      onOverfull: () => this.#fail(unread()),
    });
    this.#input = new FrameInput(this.#receiver);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // What breaks a connection ends its calls, which tell of it.
    socket.on("error", () => {});
    socket.on("end", () => this.destroy());
    socket.on("close", () => {
      this.#end();
      listener.onGone();
    });
  }

  /** Whether no more calls are taken. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Asks the peer whether it is there; `onAnswer` is told when it says so. */
  ping(onAnswer: () => void): void {
    // Who has not said what it speaks is not there.
    if (!this.#greeting.isDone || this.#isGone) return;
    this.#receiver.onPong = onAnswer;
    this.#sender.ping(PING, 0);
  }

  /** Takes no more calls; the connection goes when the last one has ended (section 6.8). */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (!this.#greeting.isDone) this.#sender.greet();
    this.#sender.goAway(this.#receiver.refuseMore(), ERROR.none);
    this.#leaveIfIdle();
  }

  /** Cuts the connection and all its calls. */
  destroy(): void {
    this.#socket.destroy();
    this.#end();
  }

  #read(chunk: Buffer): void {
    if (this.#isGone) return;
    try {
      const from = this.#greeting.isDone ? 0 : this.#greet(chunk);
      if (from < chunk.length) this.#input.read(chunk, from);
    } catch (error) {
      this.#fail(error);
    }
    // Nearly all that we say, the peer asks for: who does not read is not listened to either (section 10.5).
    if (!this.#isGone && this.#output.waitingBytes > UNREAD_BYTES_HIGH) this.#socket.pause();
  }

  #relieved(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#sender.pump();
  }

  /** Ours follows the peer's: so who speaks HTTP/1 reads an answer that he understands. */
  #greet(chunk: Buffer): number {
    const { beginning, rest } = this.#greeting.take(chunk);
    switch (beginning) {
      case "whole":
        this.#sender.greet();
        return rest;
      case "http1":
        this.#isGone = true;
        this.#socket.end(HTTP1_ANSWER);
        return chunk.length;
      case "unknown":
        this.destroy();
        return chunk.length;
      default:
        return chunk.length;
    }
  }

  /** Ends the connection for an error, which the peer is told of (section 5.4.1). */
  #fail(error: unknown): void {
    if (this.#isGone) return;
    const code = codeOf(error);
    if (code === ERROR.internal) this.#listener.onError(error);
    this.#sender.goAway(this.#receiver.refuseMore(), code);
    this.#output.end();
    this.#end();
  }

  #leaveIfIdle(): void {
    if (!this.#isClosing || this.#isGone || !this.#receiver.isIdle) return;
    this.#leave();
    this.#output.end();
  }

  #end(): void {
    this.#leave();
    this.#receiver.cutAll();
  }

  /** What still comes is passed over, up to the peer's end. */
  #leave(): void {
    this.#isGone = true;
    this.#socket.resume();
  }
}

function codeOf(error: unknown): number {
  if (error instanceof ConnectionError) return error.code;
  return error instanceof CompressionError ? ERROR.compression : ERROR.internal;
}

function unread(): ConnectionError {
  return new ConnectionError(ERROR.enhanceYourCalm, "too much that the peer does not read");
}
