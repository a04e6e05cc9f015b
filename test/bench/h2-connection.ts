import { connect, type Socket } from "node:net";
import {
  eachFrame,
  FLAG,
  FRAME,
  type Frame,
  frame,
  framed,
  headerBlocks,
  headersFrame,
  NOTHING,
  preface,
  WINDOW_DEFAULT,
} from "@bourse/rpc/bench";
import { BenchFailure } from "./failure.ts";

/** What a connection is for. */
export interface Load {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly token?: string | undefined;
  /** Calls under way. */
  readonly streams: number;
  /** The message of the next call. */
  readonly next: () => Uint8Array;
  /** Is told how long each call took, in milliseconds. */
  readonly onAnswer: (tookMs: number) => void;
}

/** Begun calls, by their streams: more than are ever under way. */
const BEGUN_MAX = 4_096;

/** Calls over one connection, as many at a time as it may, until it is closed. */
export class LoadedConnection {
  /** Settles when it is closed. */
  readonly closed: Promise<void>;
  readonly #load: Load;
  readonly #socket: Socket;
  readonly #blockOf: (path: string) => Buffer;
  readonly #begunMs = new Float64Array(BEGUN_MAX);
  #stream = 1;
  #window = WINDOW_DEFAULT;
  /** Calls that wait until the server takes more. */
  #waiting = 0;
  #rest: Buffer = NOTHING;
  #out: Buffer[] = [];
  #isClosing = false;

  constructor(load: Load) {
    this.#load = load;
    this.#blockOf = headerBlocks(`${load.host}:${load.port}`, load.token);
    this.#socket = connect(load.port, load.host);
    this.#socket.setNoDelay(true);
    this.closed = new Promise((resolve, reject) => {
      this.#socket.on("error", reject);
      this.#socket.on("close", () => {
        if (this.#isClosing) resolve();
        else reject(new BenchFailure("the server closed a connection"));
      });
      this.#socket.on("data", (chunk: Buffer) => {
        try {
          this.#take(chunk);
        } catch (error) {
          this.#socket.destroy(error as Error);
        }
      });
    });
    this.#out.push(preface());
    for (let nth = 0; nth < load.streams; nth += 1) this.#begin();
    this.#send();
  }

  /** Leaves without waiting for what is under way. */
  close(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #begin(): void {
    const message = framed(this.#load.next());
    if (this.#window < message.length) {
      this.#waiting += 1;
      return;
    }
    this.#window -= message.length;
    this.#begunMs[(this.#stream >>> 1) % BEGUN_MAX] = performance.now();
    this.#out.push(
      headersFrame(this.#stream, this.#blockOf(this.#load.path)),
      frame(FRAME.data, FLAG.endStream, this.#stream, message),
    );
    this.#stream += 2;
  }

  #send(): void {
    if (this.#out.length === 0) return;
    this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = eachFrame(bytes, (each) => this.#read(each));
    this.#send();
  }

  #read({ kind, flags, stream, payload }: Frame): void {
    if (kind === FRAME.headers && (flags & FLAG.endStream) !== 0) {
      const begunMs = this.#begunMs[(stream >>> 1) % BEGUN_MAX] as number;
      this.#load.onAnswer(performance.now() - begunMs);
      this.#begin();
    } else if (kind === FRAME.windowUpdate && stream === 0) {
      this.#window += payload.readUInt32BE(0);
      const waiting = this.#waiting;
      this.#waiting = 0;
      for (let nth = 0; nth < waiting; nth += 1) this.#begin();
    } else if (kind === FRAME.settings && (flags & FLAG.ack) === 0) {
      this.#out.push(frame(FRAME.settings, FLAG.ack, 0, NOTHING));
    } else if (kind === FRAME.ping && (flags & FLAG.ack) === 0) {
      this.#out.push(frame(FRAME.ping, FLAG.ack, 0, payload));
    } else if (kind === FRAME.reset || kind === FRAME.goAway) {
      throw new BenchFailure(`the server refuses with a frame of type ${kind}`);
    }
  }
}
