import type { Socket } from "node:net";
import { HEAD_BYTES, NOTHING, writeHead } from "./frames.ts";

/** Most turns say less than this on a connection. */
const SLAB_BYTES = 64 * 1024;
/** From here on a connection is congested. */
const HIGH_BYTES = 256 * 1024;
/** Slabs that are kept for the next turn, of all connections. */
const SPARE_MAX = 64;
const spare: Buffer[] = [];

/**
 * What is to be written to a socket. All that is said in one turn of the event loop, about whatever
 * streams, leaves in one write; while the socket still has an earlier one, the next waits here.
 */
export class Output {
  readonly #socket: Socket;
  readonly #onRelief: () => void;
  /** Where the next frame goes; its maker writes into it, from what `room` gives to what `advance` says. */
  slab: Buffer = NOTHING;
  #size = 0;
  #full: Buffer[] | undefined;
  #fullBytes = 0;
  #isScheduled = false;
  #isWriting = false;
  #isEnded = false;

  /** `onRelief` is told after each write when there is room for more. */
  constructor(socket: Socket, onRelief: () => void) {
    this.#socket = socket;
    this.#onRelief = onRelief;
  }

  /** Whether what can wait should. */
  get isCongested(): boolean {
    return this.#isWriting || this.#fullBytes + this.#size >= HIGH_BYTES;
  }

  /** Bytes that the socket has not sent. */
  get waitingBytes(): number {
    return this.#fullBytes + this.#size + this.#socket.writableLength;
  }

  /** Makes room for so many bytes; returns where in the slab they go. */
  room(most: number): number {
    if (this.slab.length - this.#size < most) this.#turnSlab(most);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(flush, this);
    }
    return this.#size;
  }

  /** Says where the written ends. */
  advance(end: number): void {
    this.#size = end;
  }

  /** Writes the head of a frame; returns where in the slab its payload of so many bytes goes. */
  frame(type: number, flags: number, stream: number, bytes: number): number {
    const at = this.room(HEAD_BYTES + bytes);
    const begin = writeHead(this.slab, at, bytes, type, flags, stream);
    this.#size = begin + bytes;
    return begin;
  }

  #turnSlab(most: number): void {
    if (this.#size > 0) {
      this.#full ??= [];
      this.#full.push(this.slab.subarray(0, this.#size));
      this.#fullBytes += this.#size;
      this.#size = 0;
    }
    this.slab = most > SLAB_BYTES ? Buffer.allocUnsafeSlow(most) : takeSlab();
  }

  /** Called once per turn in which something was said. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#isWriting || this.#isEnded) return;
    this.#write();
    if (!this.isCongested) this.#onRelief();
  }

  /** Writes what is left, then closes our side; what is said after this is not sent. */
  end(): void {
    this.#write();
    this.#isEnded = true;
    this.#socket.end();
  }

  #write(): void {
    const socket = this.#socket;
    const { slab } = this;
    if (this.#size === 0 || socket.destroyed) return;
    if (this.#full === undefined) {
      socket.write(slab.subarray(0, this.#size), this.#written);
    } else {
      socket.cork();
      for (const bytes of this.#full) socket.write(bytes);
      socket.write(slab.subarray(0, this.#size), this.#written);
      socket.uncork();
    }
    this.#full = undefined;
    this.#fullBytes = 0;
    this.#size = 0;
    this.slab = NOTHING;
    // Nearly always the system takes all at once, and the slab is free again.
    this.#isWriting = socket.writableLength > 0;
    if (!this.#isWriting) giveBack(slab);
  }

  readonly #written = (): void => {
    if (!this.#isWriting || this.#socket.writableLength > 0) return;
    this.#isWriting = false;
    this.flush();
  };
}

function flush(output: Output): void {
  output.flush();
}

function takeSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}

function giveBack(slab: Buffer): void {
  if (slab.length === SLAB_BYTES && spare.length < SPARE_MAX) spare.push(slab);
}
