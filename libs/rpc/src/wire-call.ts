import {
  ENCODINGS,
  FrameReader,
  framedAll,
  PREFIX_BYTES,
  wholeMessage,
  writePrefix,
} from "./frame.ts";
import { NOTHING } from "./http2/frames.ts";
import type { Fields, RequestHead } from "./http2/request-head.ts";
import type { Stream, StreamListener } from "./http2/stream.ts";
import type { Intake, IntakeShare } from "./intake.ts";
import { Rejection } from "./rejection.ts";

const STATUS: Fields = [":status", "200", "content-type", "application/grpc+proto"];
const REFUSED: Fields = [
  ...STATUS,
  "grpc-accept-encoding",
  ENCODINGS,
]; /** Where the prefix of a message is made; it is copied at once. */
const prefix = Buffer.alloc(PREFIX_BYTES);

/** What calls may take. */
export interface WireLimits {
  /** Of one message, decompressed. */
  readonly maxMessageBytes: number;
  /** Of all requests that are not whole yet. */
  readonly intake: Intake;
}

/** Who answers a call. */
export interface WireListener {
  /** Nothing can be sent any more: the caller has taken the call back, or the connection is gone. */
  onGone(): void;
  /** The caller has begun a message and does not end it. */
  onStalled(): void;
}

/** Who wants the only message of a request. */
interface Taker {
  readonly resolve: (message: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/** A call as it is on the wire: gRPC's messages, headers and trailers over one HTTP/2 stream. */
export class WireCall implements StreamListener {
  readonly head: RequestHead;
  readonly #stream: Stream;
  readonly #limits: WireLimits;
  #listener: WireListener | undefined;
  #reader: FrameReader | undefined;
  #share: IntakeShare | undefined;
  /** What nobody has taken yet, at the beginning of a buffer that doubles as it fills. */
  #waiting = NOTHING;
  #waitingBytes = 0;
  #taker: Taker | undefined;
  #only: Buffer | undefined;
  #wake: (() => void) | undefined;
  #onWritable: (() => void) | undefined;
  #headersSent = false;

  constructor(stream: Stream, limits: WireLimits) {
    this.#stream = stream;
    this.#limits = limits;
    this.head = stream.head;
    stream.listener = this;
  }

  /** `/bourse.ledger.v1.LedgerService/GetBalances` */
  get path(): string {
    return this.head.path;
  }

  /** Whether this is a call of gRPC at all. */
  get isGrpc(): boolean {
    const isPost = this.head.method === "POST";
    return isPost && (this.header("content-type")?.startsWith("application/grpc") ?? false);
  }

  /** Whether the stream is over, so that nothing can be sent any more. */
  get gone(): boolean {
    return this.#stream.isOver;
  }

  /** A header of the caller; what came several times is joined by commas. */
  header(name: string): string | undefined {
    return this.head.get(name);
  }

  /** Says who answers, and so is told how the call fares. */
  set listener(listener: WireListener) {
    this.#listener = listener;
  }

  /**
   * Tells the only message of a request, when the caller has said all, or why there is none: a Rejection
   * as FrameReader and Intake throw them, INVALID_REQUEST unless there is exactly one. Never tells
   * anything of a caller who leaves.
   */
  onlyMessage(resolve: (message: Buffer) => void, reject: (error: unknown) => void): void {
    this.#taker = { resolve, reject };
    const { inputEnded } = this.#stream;
    if (this.#waitingBytes > 0 || inputEnded) this.#takeOnly(this.#takeWaiting(), inputEnded);
  }

  onData(bytes: Buffer, isLast: boolean): void {
    if (this.#taker === undefined) {
      this.#wait(bytes);
      this.#wake?.();
    } else {
      this.#takeOnly(bytes, isLast);
    }
  }

  onWritable(): void {
    const listener = this.#onWritable;
    this.#onWritable = undefined;
    listener?.();
  }

  onCut(): void {
    this.#letGo();
    this.#listener?.onGone();
    this.#wake?.();
  }

  #takeOnly(bytes: Buffer, isLast: boolean): void {
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#stream.taken(bytes.length);
    let only: Buffer | undefined;
    try {
      only = this.#onlyIn(bytes, isLast);
    } catch (error) {
      this.#letGo();
      taker.reject(error);
    }
    if (only !== undefined) taker.resolve(only);
  }

  /** The only message, if it is whole with these bytes; throws if it is none, or not the only one. */
  #onlyIn(bytes: Buffer, isLast: boolean): Buffer | undefined {
    if (isLast && this.#reader === undefined) {
      const whole = wholeMessage(bytes, this.#limits.maxMessageBytes);
      if (whole !== undefined) return whole;
    }
    const reader = this.#readerOf();
    for (const message of reader.push(bytes)) {
      if (this.#only !== undefined) throw notOneMessage();
      this.#only = message;
    }
    if (!isLast) {
      this.#hold(reader.keptBytes + (this.#only?.length ?? 0));
      return undefined;
    }
    this.#hold(0);
    reader.end();
    if (this.#only === undefined) throw notOneMessage();
    return this.#only;
  }

  /**
   * Waits for more of a request stream: true when there is something to `take`, false when the caller has said
   * all; rejects when the stream is over before that.
   */
  more(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        if (this.#waitingBytes > 0) resolve(true);
        else if (this.gone) reject(new Error("the stream is over before its end"));
        else if (this.#stream.inputEnded) resolve(false);
      };
      this.#wake();
    });
  }

  /**
   * The messages of a request stream that are there. Its caller may send more when they were taken.
   *
   * @throws Rejection as FrameReader and Intake do
   */
  *take(): Generator<Buffer, void, undefined> {
    const reader = this.#readerOf();
    const bytes = this.#takeWaiting();
    yield* reader.push(bytes);
    this.#hold(reader.keptBytes);
    this.#stream.taken(bytes.length);
  }

  /** Throws Rejection INVALID_REQUEST when the caller has ended in the middle of a message. */
  endRequest(): void {
    this.#hold(0);
    this.#readerOf().end();
  }

  get headersSent(): boolean {
    return this.#headersSent;
  }

  /** Sends the response headers, once. */
  sendHeaders(headers: Fields): void {
    if (this.#headersSent || this.gone) return;
    this.#stream.respond(STATUS.concat(headers), false);
    this.#headersSent = true;
  }

  /** Sends messages; false when no more should follow before `writable`. Headers must have been sent. */
  write(messages: readonly Uint8Array[]): boolean {
    const [first = NOTHING] = messages;
    if (messages.length !== 1) return this.#stream.write(framedAll(messages), NOTHING);
    writePrefix(prefix, 0, first.length);
    return this.#stream.write(prefix, first);
  }

  /** Tells, once, when more can be sent. */
  whenWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  /** Sends a last message, if any, and the trailers. Headers must have been sent. */
  end(message: Uint8Array | undefined, trailers: Fields): void {
    if (this.gone) return;
    if (message !== undefined) this.write([message]);
    this.#stream.end(trailers);
    this.#letGo();
  }

  /** Ends with trailers only when no headers were sent, so that the caller's transport may try again. */
  refuse(trailers: Fields): void {
    if (this.#headersSent) {
      this.end(undefined, trailers);
    } else {
      this.#headersSent = true;
      this.#stream.respond(REFUSED.concat(trailers), true);
      this.#letGo();
    }
  }

  /** Answers what is not gRPC, as its specification has it. */
  refuseAsHttp(): void {
    const isPost = this.head.method === "POST";
    this.#stream.respond([":status", isPost ? "415" : "405"], true);
    this.#letGo();
  }

  #readerOf(): FrameReader {
    this.#reader ??= new FrameReader(
      this.#limits.maxMessageBytes,
      this.header("grpc-encoding") ?? "identity",
    );
    return this.#reader;
  }

  #hold(bytes: number): void {
    if (bytes > 0) this.#share ??= this.#limits.intake.share(() => this.#listener?.onStalled());
    this.#share?.hold(bytes);
  }

  /** Nothing more of the request matters. */
  #letGo(): void {
    this.#taker = NOBODY;
    this.#only = undefined;
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.#share?.hold(0);
  }

  /** Keeps bytes until they are taken. */
  #wait(bytes: Buffer): void {
    const size = this.#waitingBytes + bytes.length;
    if (size > this.#waiting.length) {
      const larger = Buffer.allocUnsafe(this.#waitingBytes === 0 ? size : 2 * size);
      this.#waiting.copy(larger, 0, 0, this.#waitingBytes);
      this.#waiting = larger;
    }
    bytes.copy(this.#waiting, this.#waitingBytes);
    this.#waitingBytes = size;
  }

  #takeWaiting(): Buffer {
    const bytes = this.#waiting.subarray(0, this.#waitingBytes);
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    return bytes;
  }
}

/** Takes what comes after the end. */
const NOBODY: Taker = { resolve: () => {}, reject: () => {} };

function notOneMessage(): Rejection {
  return new Rejection("INVALID_REQUEST", "the request must be exactly one message");
}
