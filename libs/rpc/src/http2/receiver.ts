import { SlotMap } from "../slots.ts";
import type { FrameTaker } from "./frame-input.ts";
import { checkFrame } from "./frame-rules.ts";
import { ConnectionError, ERROR, FLAG, FRAME, NOTHING, read31 } from "./frames.ts";
import { bare, HeaderBlock } from "./header-block.ts";
import { HeaderDecoder } from "./hpack-decoder.ts";
import { Patience } from "./patience.ts";
import { areTrailers, RequestHead } from "./request-head.ts";
import type { Sender } from "./sender.ts";
import {
  CONNECTION_WINDOW,
  HEADER_LIST_BYTES,
  INITIAL_SETTINGS,
  STREAMS_MAX,
  settingsAfter,
} from "./settings.ts";
import { Stream, type StreamOwner } from "./stream.ts";

/** What a receiver tells its connection. */
export interface ReceiverListener {
  onStream(stream: Stream): void;
  /** The last stream has ended. */
  onIdle(): void;
  /** The peer will begin no more streams. */
  onLeaving(): void;
  /** Too much waits for the peer. */
  onOverfull(): void;
}

/** Answers that wait for their peer: from here on it gets no more calls, then it is cut. */
const UNSENT_BYTES_HIGH = 64 * 1024 * 1024;
const UNSENT_BYTES_MAX = 256 * 1024 * 1024;
/** Requests that wait for their handlers: above this the peer may not send more of any. */
const UNTAKEN_BYTES_HIGH = 64 * 1024 * 1024;
const TOO_LARGE = [":status", "431"] as const;

/** Reads the frames of a peer and keeps its streams. */
export class Receiver implements FrameTaker, StreamOwner {
  readonly sender: Sender;
  readonly #listener: ReceiverListener;
  readonly #decoder = new HeaderDecoder(INITIAL_SETTINGS.tableBytes, HEADER_LIST_BYTES);
  readonly #streams = new SlotMap<number, Stream>();
  readonly #patience = new Patience();
  #block: HeaderBlock | undefined;
  #isGreeted = false;
  #takesMore = true;
  #lastStream = 0;
  #window = CONNECTION_WINDOW;
  #untakenBytes = 0;
  #unsentBytes = 0;
  /** Told, once, of the answer to our ping. */
  onPong: (() => void) | undefined;

  constructor(sender: Sender, listener: ReceiverListener) {
    this.sender = sender;
    this.#listener = listener;
  }

  get isIdle(): boolean {
    return this.#streams.size === 0;
  }

  /** Takes no more streams; returns the last one that was taken. */
  refuseMore(): number {
    this.#takesMore = false;
    return this.#lastStream;
  }

  /** The connection is gone: so are its streams. */
  cutAll(): void {
    for (const stream of this.#streams) stream.cut();
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, begin: number, end: number): void {
    if (this.#block !== undefined && (type !== FRAME.continuation || id !== this.#block.stream)) {
      throw new ConnectionError(ERROR.protocol, "a frame within a header block");
    }
    if (!this.#isGreeted) this.#greet(type, flags);
    checkFrame(type, id, end - begin);
    switch (type) {
      case FRAME.data:
        this.#data(flags, id, bytes, begin, end);
        break;
      case FRAME.headers:
        this.#headers(flags, id, bare(flags, bytes, begin, end));
        break;
      case FRAME.continuation:
        this.#continuation(flags, bytes.subarray(begin, end));
        break;
      case FRAME.windowUpdate:
        this.#windowUpdate(id, read31(bytes, begin));
        break;
      case FRAME.reset:
        this.#resetFrame(id);
        break;
      case FRAME.settings:
        this.#settings(flags, bytes.subarray(begin, end));
        break;
      case FRAME.ping:
        this.#ping(flags, bytes.subarray(begin, end));
        break;
      case FRAME.goAway:
        this.#listener.onLeaving();
        break;
      default:
        // Priorities, and what nobody knows, are passed over (sections 5.3.2 and 5.5).
        this.#patience.vainFrame();
    }
  }

  /** Section 3.4: settings come first. */
  #greet(type: number, flags: number): void {
    if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) {
      throw new ConnectionError(ERROR.protocol, "a connection begins with SETTINGS");
    }
    this.#isGreeted = true;
  }

  /** Section 6.1. Padding counts as if it were read. */
  #data(flags: number, id: number, bytes: Buffer, begin: number, end: number): void {
    const content = bare(flags & FLAG.padded, bytes, begin, end);
    const isLast = (flags & FLAG.endStream) !== 0;
    this.#window -= end - begin;
    if (this.#window < 0) throw new ConnectionError(ERROR.flowControl, "DATA");
    if (content.length === 0 && !isLast) this.#patience.vainFrame();
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#late(id);
    else stream.receive(content, end - begin - content.length, isLast);
    this.#giveRoom();
  }

  /** Data of a stream that is over: nothing wrong as long as the peer cannot know (section 5.1). */
  #late(id: number): void {
    this.#mustHaveBegun(id);
    if (id > this.#lastStream || this.#patience.remembers(id)) return;
    this.#patience.lostStream();
    this.sender.reset(id, ERROR.streamClosed);
  }

  #giveRoom(): void {
    if (this.#window > CONNECTION_WINDOW / 2 || this.#untakenBytes > UNTAKEN_BYTES_HIGH) return;
    this.sender.windowUpdate(0, CONNECTION_WINDOW - this.#window);
    this.#window = CONNECTION_WINDOW;
  }

  /** Section 6.2. */
  #headers(flags: number, id: number, block: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(ERROR.protocol, "a stream that is not a client's");
    const isLast = (flags & FLAG.endStream) !== 0;
    if ((flags & FLAG.endHeaders) !== 0) this.#fields(id, isLast, block);
    else this.#block = new HeaderBlock(id, isLast, block);
  }

  #continuation(flags: number, part: Buffer): void {
    const block = this.#block;
    if (block === undefined) throw new ConnectionError(ERROR.protocol, "CONTINUATION of nothing");
    block.add(part);
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    this.#fields(block.stream, block.isLast, block.bytes);
  }

  /** A whole header block. It is read in any case, since later ones build on it (section 4.3). */
  #fields(id: number, isLast: boolean, block: Buffer): void {
    const fields = this.#decoder.decode(block);
    if (id > this.#lastStream) {
      if (this.#takesMore) this.#begin(id, isLast, fields);
      return;
    }
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      const areFit = isLast && typeof fields !== "string" && areTrailers(fields);
      if (stream.inputEnded) stream.reset(ERROR.streamClosed);
      else if (areFit) stream.receive(NOTHING, 0, true);
      else stream.reset(ERROR.protocol);
    } else if (!this.#patience.remembers(id)) {
      // Section 5.1.1: the number of a stream is never used again.
      throw new ConnectionError(ERROR.streamClosed, "HEADERS of a stream that is over");
    }
  }

  #begin(id: number, isLast: boolean, fields: string[] | string): void {
    this.#lastStream = id;
    const head = typeof fields === "string" ? undefined : RequestHead.of(fields);
    if (this.#streams.size >= STREAMS_MAX || this.#unsentBytes > UNSENT_BYTES_HIGH) {
      this.#refuse(id, ERROR.refused);
    } else if (fields === "too large") {
      this.sender.headers(id, TOO_LARGE, true);
      if (!isLast) this.#refuse(id, ERROR.none);
    } else if (head === undefined || (isLast && head.contentBytes > 0)) {
      // Section 8.1.1: what is malformed is an error of the stream.
      this.#refuse(id, ERROR.protocol);
    } else {
      this.#open(id, isLast, head);
    }
  }

  #open(id: number, isLast: boolean, head: RequestHead): void {
    const stream = new Stream(id, head, this);
    this.#streams.set(id, stream);
    stream.inputEnded = isLast;
    this.#listener.onStream(stream);
    if (isLast && !stream.isOver) stream.listener?.onData(NOTHING, true);
  }

  #refuse(id: number, code: number): void {
    this.sender.reset(id, code);
    this.#remember(id, code);
  }

  /** Section 6.4. */
  #resetFrame(id: number): void {
    this.#mustHaveBegun(id);
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#patience.vainFrame();
    } else {
      this.#patience.lostStream();
      stream.cut();
    }
  }

  /** Section 6.9. */
  #windowUpdate(id: number, more: number): void {
    if (id === 0) {
      if (more === 0) throw new ConnectionError(ERROR.protocol, "WINDOW_UPDATE by nothing");
      this.sender.widen(more);
    } else {
      this.#mustHaveBegun(id);
      const stream = this.#streams.get(id);
      if (more === 0) stream?.reset(ERROR.protocol);
      else if (stream?.widen(more) === false) stream.reset(ERROR.flowControl);
    }
  }

  /** Section 6.5. */
  #settings(flags: number, payload: Buffer): void {
    this.#patience.changedSettings();
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length > 0) throw new ConnectionError(ERROR.frameSize, "SETTINGS");
      return;
    }
    const { peer } = this.sender;
    const settings = settingsAfter(peer, payload);
    this.sender.adopt(settings);
    const wider = settings.streamWindow - peer.streamWindow;
    if (wider === 0) return;
    // Section 6.9.2: the windows of streams change with it, and may become negative.
    for (const stream of this.#streams) {
      if (!stream.widen(wider)) throw new ConnectionError(ERROR.flowControl, "INITIAL_WINDOW_SIZE");
    }
  }

  /** Section 6.7. */
  #ping(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ack) === 0) {
      this.sender.ping(payload, FLAG.ack);
    } else {
      this.onPong?.();
      this.onPong = undefined;
    }
  }

  untake(bytes: number): void {
    this.#untakenBytes += bytes;
    if (bytes < 0) this.#giveRoom();
  }

  unsend(bytes: number): void {
    this.#unsentBytes += bytes;
    if (this.#unsentBytes > UNSENT_BYTES_MAX) this.#listener.onOverfull();
  }

  release(stream: Stream, code?: number): void {
    this.#streams.delete(stream.id);
    if (code !== undefined) this.#remember(stream.id, code);
    if (this.#streams.size === 0) this.#listener.onIdle();
  }

  #remember(id: number, code: number): void {
    this.#patience.remember(id);
    if (code !== ERROR.none) this.#patience.lostStream();
  }

  #mustHaveBegun(id: number): void {
    const isKnown = id % 2 === 1 && (id <= this.#lastStream || !this.#takesMore);
    if (!isKnown) throw new ConnectionError(ERROR.protocol, "a frame of no stream");
  }
}
