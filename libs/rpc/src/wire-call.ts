import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { ENCODINGS, FrameReader } from "./frame.ts";
import type { Intake, IntakeShare } from "./intake.ts";
import { Rejection } from "./rejection.ts";

const STATUS = { ":status": 200, "content-type": "application/grpc+proto" } as const;
/** A date that nobody reads costs a header of every answer. */
const WITHOUT_DATE = { sendDate: false } as const;

/** What calls may take. */
export interface WireLimits {
  /** Of one message, decompressed. */
  readonly maxMessageBytes: number;
  /** Of all requests that are not whole yet. */
  readonly intake: Intake;
}

/** A call as it is on the wire: gRPC's messages, headers and trailers over one HTTP/2 stream. */
export class WireCall {
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  readonly #reader: FrameReader;
  readonly #share: IntakeShare;
  #stalled: (() => void) | undefined;
  #headersSent = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, limits: WireLimits) {
    this.#stream = stream;
    this.headers = headers;
    this.#share = limits.intake.share(() => this.#stalled?.());
    this.#reader = new FrameReader(
      limits.maxMessageBytes,
      this.header("grpc-encoding") ?? "identity",
    );
    // A stream that breaks is told of through `onGone`; without a listener the process would end.
    stream.on("error", ignore);
    stream.on("aborted", leave);
  }

  /** `/bourse.ledger.v1.LedgerService/GetBalances` */
  get path(): string {
    return this.headers[":path"] ?? "";
  }

  /** Whether this is a call of gRPC at all. */
  get isGrpc(): boolean {
    const isPost = this.headers[":method"] === "POST";
    return isPost && (this.header("content-type")?.startsWith("application/grpc") ?? false);
  }

  /** Whether the stream is over, so that nothing can be sent any more. */
  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** A header of the caller; what came several times is joined by commas. */
  header(name: string): string | undefined {
    const value = this.headers[name];
    return typeof value === "string" ? value : value?.join(", ");
  }

  /** Tells when the stream is over, answered or not. */
  onGone(listener: () => void): void {
    this.#stream.on("close", () => {
      this.#share.hold(0);
      listener();
    });
  }

  /**
   * Tells the only message of a request, when the caller has said all, or why there is none: a Rejection
   * as FrameReader and Intake throw them, INVALID_REQUEST unless there is exactly one. Never tells
   * anything of a caller who leaves.
   */
  onlyMessage(resolve: (message: Buffer) => void, reject: (error: unknown) => void): void {
    let only: Buffer | undefined;
    const take = (chunk: Buffer): void => {
      try {
        for (const message of this.#reader.push(chunk)) {
          if (only !== undefined) throw notOneMessage();
          only = message;
        }
        this.#share.hold(this.#reader.keptBytes + (only?.length ?? 0));
      } catch (error) {
        this.#stream.off("data", take);
        this.#share.hold(0);
        reject(error);
      }
    };
    this.#stream.on("data", take);
    this.#stream.on("end", () => {
      this.#share.hold(0);
      // A stream that was reset ends too.
      if (this.gone) return;
      try {
        this.#reader.end();
        if (only === undefined) throw notOneMessage();
      } catch (error) {
        return reject(error);
      }
      resolve(only);
    });
  }

  /**
   * The messages of a request stream, no faster than they are taken.
   *
   * @throws Rejection as FrameReader and Intake do
   */
  async *messages(): AsyncGenerator<Buffer, void, undefined> {
    // By hand: for as long as a stream waits for its caller, Node's own iterator holds 3 KB.
    const stream = this.#stream;
    let wake = ignore;
    const woken = (): void => wake();
    for (const event of ENOUGH_TO_LOOK) stream.on(event, woken);
    try {
      for (;;) {
        const chunk = stream.read() as Buffer | null;
        if (chunk !== null) {
          for (const message of this.#reader.push(chunk)) yield message;
          this.#share.hold(this.#reader.keptBytes);
        } else if (stream.readableEnded) {
          break;
        } else if (stream.destroyed) {
          throw new Error("the stream is over before its end");
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      for (const event of ENOUGH_TO_LOOK) stream.off(event, woken);
    }
    this.#share.hold(0);
    this.#reader.end();
  }

  /** Tells, once, of a caller who has begun a message and does not end it. */
  onStalled(listener: () => void): void {
    this.#stalled = listener;
  }

  get headersSent(): boolean {
    return this.#headersSent;
  }

  /** Sends the response headers, once. */
  sendHeaders(headers: OutgoingHttpHeaders): void {
    if (this.#headersSent || this.gone) return;
    this.#stream.respond({ ...STATUS, ...headers }, { ...WITHOUT_DATE, waitForTrailers: true });
    this.#headersSent = true;
  }

  /** Sends a frame; false when no more should follow before `writable`. Headers must have been sent. */
  write(frame: Buffer): boolean {
    return this.gone || this.#stream.write(frame);
  }

  /** Tells, once, when more can be sent. */
  onWritable(listener: () => void): void {
    this.#stream.once("drain", listener);
  }

  /** Sends a last frame, if any, and the trailers. Headers must have been sent. */
  end(frame: Buffer | undefined, trailers: OutgoingHttpHeaders): void {
    if (this.gone) return;
    this.#stream.once("wantTrailers", () => {
      this.#stream.sendTrailers(trailers);
      this.#leaveRest();
    });
    if (frame === undefined) this.#stream.end();
    else this.#stream.end(frame);
    // A stream is only let go of when its input was read, also if its caller never reads our end.
    this.#stream.resume();
  }

  /** Ends with trailers only when no headers were sent, so that the caller's transport may try again. */
  refuse(trailers: OutgoingHttpHeaders): void {
    if (this.#headersSent) {
      this.end(undefined, trailers);
    } else if (!this.gone) {
      const headers = { ...STATUS, "grpc-accept-encoding": ENCODINGS, ...trailers };
      this.#stream.respond(headers, { ...WITHOUT_DATE, endStream: true });
      this.#headersSent = true;
      this.#leaveRest();
    }
  }

  /** Answers what is not gRPC, as its specification has it. */
  refuseAsHttp(): void {
    const isPost = this.headers[":method"] === "POST";
    this.#stream.respond({ ":status": isPost ? 415 : 405 }, { endStream: true });
    this.#leaveRest();
  }

  /** Tells a caller who has not said all that nobody listens any more. */
  #leaveRest(): void {
    const stream = this.#stream;
    if (stream.readableEnded) return;
    stream.resume();
    // Later, since a reset overtakes what was written just now.
    setImmediate(() => {
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }
}

/** After any of these there may be something to read, or nothing to wait for. */
const ENOUGH_TO_LOOK = ["readable", "end", "close"] as const;

function ignore(): void {}

/**
 * A reset without an error lets Node wait until somebody has read all that came before it, and
 * nobody may: a stream that is reset is over. Later, since Node is not done with it yet.
 */
function leave(this: ServerHttp2Stream): void {
  process.nextTick(() => this.destroy());
}

function notOneMessage(): Rejection {
  return new Rejection("INVALID_REQUEST", "the request must be exactly one message");
}
