import { ERROR, NOTHING, WINDOW_MAX } from "./frames.ts";
import type { Fields, RequestHead } from "./request-head.ts";
import type { Pending, Sender } from "./sender.ts";
import { STREAM_WINDOW } from "./settings.ts";

/** Who answers a stream. */
export interface StreamListener {
  /**
   * Some bytes of the request; a part of what the socket has read at once, so that who keeps a little for
   * long copies it. The listener says by `taken` when it is done with them.
   */
  onData(bytes: Buffer, isLast: boolean): void;
  /** There is room again after `write` has said that there was none. */
  onWritable(): void;
  /** Nothing can be sent any more: the stream was reset, or its connection is gone. */
  onCut(): void;
}

/** The connection of a stream, as the stream needs it. */
export interface StreamOwner {
  readonly sender: Sender;
  /** Counts bytes of requests that wait here until somebody takes them. */
  untake(bytes: number): void;
  /** Counts bytes of answers that wait here until the peer takes them. */
  unsend(bytes: number): void;
  /** The stream is over; `code` is what it was reset with, if we have done that. */
  release(stream: Stream, code?: number): void;
}

/** Of an answer: with more than this waiting, no more should follow. */
const UNSENT_BYTES_HIGH = 16_384;

/** One request and its answer (RFC 9113, section 5). */
export class Stream implements Pending {
  readonly id: number;
  readonly head: RequestHead;
  readonly #owner: StreamOwner;
  listener: StreamListener | undefined;
  /** Whether the peer has said all. */
  inputEnded = false;
  /** Whether we have said all, or can say nothing any more. */
  isOver = false;
  /** What the peer may still send (section 6.9). */
  #receiveWindow = STREAM_WINDOW;
  /** Of what it has sent: not taken yet; taken, and the peer was not told. */
  #untaken = 0;
  #credit = 0;
  #contentLeft: number;
  /** What the peer still takes. */
  #sendWindow: number;
  #unsent: Uint8Array[] | undefined;
  #unsentBytes = 0;
  #wantsRoom = false;
  #trailers: Fields | undefined;
  #isReleased = false;

  constructor(id: number, head: RequestHead, owner: StreamOwner) {
    this.id = id;
    this.head = head;
    this.#owner = owner;
    this.#contentLeft = head.contentBytes;
    this.#sendWindow = owner.sender.peer.streamWindow;
  }

  /** Sends the response headers; the last that is said when `isLast`. */
  respond(fields: Fields, isLast: boolean): void {
    if (this.isOver) return;
    this.#owner.sender.headers(this.id, fields, isLast);
    if (isLast) this.#finish();
  }

  /** Sends bytes, in two parts; false when no more should follow before `onWritable`. */
  write(head: Uint8Array, body: Uint8Array): boolean {
    if (this.isOver) return true;
    const bytes = head.length + body.length;
    const { sender } = this.#owner;
    if (this.#unsentBytes === 0 && bytes <= Math.min(sender.roomBytes, this.#sendWindow)) {
      this.#sendWindow -= bytes;
      sender.data(this.id, head, body);
      return true;
    }
    this.#unsent ??= [];
    this.#unsent.push(Buffer.concat([head, body]));
    this.#countUnsent(bytes);
    this.#queue();
    this.#wantsRoom = this.#unsentBytes > UNSENT_BYTES_HIGH;
    return !this.#wantsRoom;
  }

  /** Ends the answer with trailers, behind all that was written. */
  end(trailers: Fields): void {
    if (this.isOver) return;
    if (this.#unsentBytes > 0) {
      this.#trailers = trailers;
    } else {
      this.#owner.sender.headers(this.id, trailers, true);
      this.#finish();
    }
  }

  /** Ends the stream at once, whatever waits (section 6.4). */
  reset(code: number): void {
    if (this.isOver) return;
    this.#owner.sender.reset(this.id, code);
    this.cut(code);
  }

  /** The listener has taken so many bytes of the request. */
  taken(bytes: number): void {
    if (this.isOver) return;
    this.#untaken -= bytes;
    this.#owner.untake(-bytes);
    this.#giveBack(bytes);
  }

  #giveBack(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < STREAM_WINDOW / 2 || this.inputEnded) return;
    this.#owner.sender.windowUpdate(this.id, this.#credit);
    this.#receiveWindow += this.#credit;
    this.#credit = 0;
  }

  /** For the connection: bytes of the request came, and so many of padding with them. */
  receive(bytes: Buffer, padding: number, isLast: boolean): void {
    if (this.isOver) {
      this.#discard(isLast);
      return;
    }
    const error = this.#errorIn(bytes.length, padding, isLast);
    if (error !== undefined) {
      this.reset(error);
      return;
    }
    this.inputEnded = isLast;
    this.#untaken += bytes.length;
    this.#owner.untake(bytes.length);
    if (padding > 0) this.#giveBack(padding);
    this.listener?.onData(bytes, isLast);
  }

  #errorIn(bytes: number, padding: number, isLast: boolean): number | undefined {
    if (this.inputEnded) return ERROR.streamClosed;
    this.#receiveWindow -= bytes + padding;
    if (this.#receiveWindow < 0) return ERROR.flowControl;
    if (this.#contentLeft === -1) return undefined;
    // Section 8.1.1: a length that is not that of the content makes a request malformed.
    this.#contentLeft -= bytes;
    const isWrong = isLast ? this.#contentLeft !== 0 : this.#contentLeft < 0;
    return isWrong ? ERROR.protocol : undefined;
  }

  /** What comes after our end. */
  #discard(isLast: boolean): void {
    if (isLast) this.#release();
  }

  /** For the connection: the peer takes so many bytes more, or fewer (section 6.9.2); false if that is too many. */
  widen(bytes: number): boolean {
    this.#sendWindow += bytes;
    if (this.#sendWindow > WINDOW_MAX) return false;
    if (this.#unsentBytes > 0) this.#queue();
    return true;
  }

  /** For the connection: the stream is over before its end; `code` is what we have reset it with. */
  cut(code?: number): void {
    const wasAnswered = this.isOver;
    this.#leave();
    if (!wasAnswered) this.listener?.onCut();
    this.#release(code);
  }

  get isSendable(): boolean {
    return !this.isOver && this.#unsentBytes > 0 && this.#sendWindow > 0;
  }

  sendPiece(most: number): void {
    const [first] = this.#unsent ?? [];
    if (first === undefined) return;
    const bytes = Math.min(most, this.#sendWindow, first.length);
    this.#sendWindow -= bytes;
    this.#owner.sender.data(this.id, first.subarray(0, bytes), NOTHING);
    if (bytes === first.length) this.#unsent?.shift();
    else if (this.#unsent !== undefined) this.#unsent[0] = first.subarray(bytes);
    this.#countUnsent(-bytes);
    if (this.#unsentBytes === 0 && this.#trailers !== undefined) this.end(this.#trailers);
    else if (this.#wantsRoom && this.#unsentBytes <= UNSENT_BYTES_HIGH) this.#tellRoom();
  }

  #tellRoom(): void {
    this.#wantsRoom = false;
    this.listener?.onWritable();
  }

  #queue(): void {
    if (!this.isSendable) return;
    this.#owner.sender.enlist(this);
    this.#owner.sender.pump();
  }

  #countUnsent(bytes: number): void {
    this.#unsentBytes += bytes;
    this.#owner.unsend(bytes);
  }

  /** All was said. */
  #finish(): void {
    this.#leave();
    if (this.inputEnded) this.#release();
    // In nearly all cases the end of the request is there by then.
    else setImmediate(stopInput, this);
  }

  /** Tells a peer that has not said all that nobody listens any more (section 8.1). */
  stopInput(): void {
    if (this.#isReleased) return;
    this.#owner.sender.reset(this.id, ERROR.none);
    this.#release(ERROR.none);
  }

  #release(code?: number): void {
    this.#isReleased = true;
    this.#owner.release(this, code);
  }

  /** Lets go of all that waits. */
  #leave(): void {
    this.isOver = true;
    const { sender } = this.#owner;
    if (this.#unsentBytes > 0) sender.delist(this);
    this.#owner.unsend(-this.#unsentBytes);
    this.#owner.untake(-this.#untaken);
    this.#unsent = undefined;
    this.#unsentBytes = 0;
    this.#untaken = 0;
  }
}

function stopInput(stream: Stream): void {
  stream.stopInput();
}
