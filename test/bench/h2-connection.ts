import { connect, type Socket } from "node:net";
import { BenchFailure } from "./failure.ts";
import {
  ACK,
  END_STREAM,
  FRAME,
  frame,
  HEADER_BYTES,
  preface,
  type RequestHead,
  requestsTo,
} from "./h2-requests.ts";

/** What a connection is for. */
export interface Load {
  readonly head: RequestHead;
  readonly port: number;
  readonly host: string;
  /** Calls under way. */
  readonly streams: number;
  /** The message of the next call. */
  readonly next: () => Uint8Array;
  /** Is told how long each call took, in milliseconds. */
  readonly onAnswer: (tookMs: number) => void;
}

/** Begun calls, by their streams: more than are ever under way. */
const BEGUN_MAX = 4_096;
const WINDOW_USUAL = 65_535;

/** Calls over one connection, as many at a time as it may, until it is closed. */
export class LoadedConnection {
  /** Settles when it is closed. */
  readonly closed: Promise<void>;
  readonly #load: Load;
  readonly #socket: Socket;
  readonly #requests;
  readonly #begunMs = new Float64Array(BEGUN_MAX);
  #stream = 1;
  #window = WINDOW_USUAL;
  /** Calls that wait until the server takes more. */
  #waiting = 0;
  #rest = Buffer.alloc(0);
  #out: Buffer[] = [];
  #isClosing = false;

  constructor(load: Load) {
    this.#load = load;
    this.#requests = requestsTo(load.head);
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
    const message = this.#load.next();
    if (this.#window < message.length + HEADER_BYTES) {
      this.#waiting += 1;
      return;
    }
    this.#begunMs[(this.#stream >>> 1) % BEGUN_MAX] = performance.now();
    const bytes = this.#requests.request(this.#stream, message);
    // What is not of the message counts, too: so never too little.
    this.#window -= message.length + HEADER_BYTES;
    this.#stream += 2;
    this.#out.push(bytes);
  }

  #send(): void {
    if (this.#out.length === 0) return;
    this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + bytes.readUIntBE(0, 3);
      if (bytes.length < end) break;
      this.#read(bytes, bytes.subarray(HEADER_BYTES, end));
      bytes = bytes.subarray(end);
    }
    this.#rest = Buffer.from(bytes);
    this.#send();
  }

  #read(head: Buffer, payload: Buffer): void {
    const type = head[3];
    const flags = head[4] as number;
    const stream = head.readUInt32BE(5);
    if (type === FRAME.HEADERS && (flags & END_STREAM) !== 0) {
      const begunMs = this.#begunMs[(stream >>> 1) % BEGUN_MAX] as number;
      this.#load.onAnswer(performance.now() - begunMs);
      this.#begin();
    } else if (type === FRAME.WINDOW_UPDATE && stream === 0) {
      this.#window += payload.readUInt32BE(0);
      const waiting = this.#waiting;
      this.#waiting = 0;
      for (let nth = 0; nth < waiting; nth += 1) this.#begin();
    } else if (type === FRAME.SETTINGS && (flags & ACK) === 0) {
      this.#out.push(frame(FRAME.SETTINGS, ACK, 0, Buffer.alloc(0)));
    } else if (type === FRAME.PING && (flags & ACK) === 0) {
      this.#out.push(frame(FRAME.PING, ACK, 0, payload));
    } else if (type === FRAME.RST_STREAM || type === FRAME.GOAWAY) {
      throw new BenchFailure(`the server refuses with a frame of type ${type}`);
    }
  }
}
