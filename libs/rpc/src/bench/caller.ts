import { connect, type Socket } from "node:net";
import { framed } from "../frame.ts";
import { FLAG, FRAME, NOTHING, SETTING, WINDOW_DEFAULT, WINDOW_MAX } from "../http2/frames.ts";
import { HeaderDecoder, type HeaderFault } from "../http2/hpack-decoder.ts";
import { TABLE_BYTES_DEFAULT } from "../http2/static-table.ts";
import { SlotMap } from "../slots.ts";
import {
  dataFrame,
  eachFrame,
  type Frame,
  frame,
  headerBlocks,
  headersFrame,
  preface,
  settingsIn,
  windowFrame,
} from "./wire.ts";

/** Calls unary methods over gRPC. */
export interface Caller extends Disposable {
  /**
   * The bytes of the answer; `method` is such as `bourse.ledger.v1.LedgerService/RecordTransaction`.
   * Rejects with the number of the status when that is not OK.
   */
  call(method: string, request: Uint8Array): Promise<Buffer>;
}

interface Call {
  readonly path: string;
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly parts: Buffer[];
  /** What of the request was not sent yet. */
  rest: Buffer;
  /** 0 before it is begun. */
  id: number;
  /** Bytes of the request that the server takes until it says more. */
  window: number;
}

const PREFIX_BYTES = 5;
const LIST_BYTES_MAX = 65_536;

/**
 * Opens a caller that writes its frames itself: a load generator shares the cores with what it
 * measures, and a stream of node:http2 costs more than a movement costs the books.
 */
export function openCaller(address: string, token: string): Caller {
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  return new Connection(socket, headerBlocks(address, token));
}

class Connection implements Caller {
  readonly #socket: Socket;
  readonly #headers = new HeaderDecoder(TABLE_BYTES_DEFAULT, LIST_BYTES_MAX);
  readonly #blockOf: (path: string) => Buffer;
  /** Under way, by stream. */
  readonly #calls = new SlotMap<number, Call>();
  /** Not sent, or not sent as a whole. */
  readonly #waiting: Call[] = [];
  #lastId = -1;
  #callsMax = 100;
  #callWindow = WINDOW_DEFAULT;
  #window = WINDOW_DEFAULT;
  #received = 0;
  #rest: Buffer = NOTHING;
  #out: Buffer[] = [];
  #ended: Error | undefined;

  constructor(socket: Socket, blockOf: (path: string) => Buffer) {
    this.#socket = socket;
    this.#blockOf = blockOf;
    this.#send(preface());
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the connection was closed")));
  }

  call(method: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      const window = this.#callWindow;
      const rest = framed(request);
      this.#waiting.push({ path: `/${method}`, resolve, reject, parts: [], rest, id: 0, window });
      this.#pump();
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** All that is sent in one turn leaves in one write. */
  #send(bytes: Buffer): void {
    if (this.#out.push(bytes) > 1) return;
    process.nextTick(() => {
      this.#socket.write(Buffer.concat(this.#out));
      this.#out = [];
    });
  }

  /** Sends what the server takes now, first come first served. */
  #pump(): void {
    for (let call = this.#waiting[0]; call !== undefined; call = this.#waiting[0]) {
      if (call.id === 0 && !this.#begin(call)) return;
      while (call.rest.length > 0) {
        const most = Math.min(this.#window, call.window);
        if (most <= 0) return;
        const [part, bytes] = dataFrame(call.id, call.rest, most);
        this.#send(part);
        this.#window -= bytes;
        call.window -= bytes;
        call.rest = call.rest.subarray(bytes);
      }
      this.#waiting.shift();
    }
  }

  #begin(call: Call): boolean {
    if (this.#calls.size >= this.#callsMax) return false;
    this.#lastId += 2;
    call.id = this.#lastId;
    this.#calls.set(call.id, call);
    this.#send(headersFrame(call.id, this.#blockOf(call.path)));
    return true;
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = eachFrame(bytes, (each) => this.#take(each));
    this.#pump();
  }

  #take({ kind, flags, stream, payload }: Frame): void {
    const call = this.#calls.get(stream);
    const isLast = (flags & FLAG.endStream) !== 0;
    switch (kind) {
      case FRAME.data:
        call?.parts.push(payload);
        this.#widen(payload.length);
        break;
      case FRAME.headers: {
        // Each block must be read, since those behind it build on it.
        const headers = this.#headers.decode(payload);
        if (isLast && call !== undefined) this.#conclude(call, statusIn(headers));
        break;
      }
      case FRAME.reset:
        if (call !== undefined) this.#conclude(call, undefined);
        break;
      case FRAME.settings:
        if ((flags & FLAG.ack) === 0) this.#adopt(settingsIn(payload));
        break;
      case FRAME.ping:
        if ((flags & FLAG.ack) === 0) this.#send(frame(FRAME.ping, FLAG.ack, 0, payload));
        break;
      case FRAME.goAway:
        this.#end(new Error("the server takes no more calls on this connection"));
        break;
      case FRAME.windowUpdate:
        if (stream === 0) this.#window += payload.readUInt32BE();
        else if (call !== undefined) call.window += payload.readUInt32BE();
        break;
      case FRAME.continuation:
        this.#end(new Error("headers of more than one frame are not read here"));
    }
  }

  #conclude(call: Call, status: string | undefined): void {
    this.#calls.delete(call.id);
    if (status === "0") {
      const [first = NOTHING, ...more] = call.parts;
      const answer = more.length === 0 ? first : Buffer.concat(call.parts);
      call.resolve(answer.subarray(PREFIX_BYTES));
    } else {
      call.reject(new Error(`status ${status}`));
    }
  }

  #adopt(settings: ReadonlyMap<number, number>): void {
    this.#callsMax = settings.get(SETTING.streamsMax) ?? this.#callsMax;
    const window = settings.get(SETTING.streamWindow) ?? this.#callWindow;
    for (const call of [...this.#calls, ...this.#waiting]) {
      if (call.rest.length > 0) call.window += window - this.#callWindow;
    }
    this.#callWindow = window;
    this.#send(frame(FRAME.settings, FLAG.ack, 0, NOTHING));
  }

  /** Keeps the window of the connection open. */
  #widen(bytes: number): void {
    this.#received += bytes;
    if (this.#received < WINDOW_MAX / 2) return;
    this.#send(windowFrame(0, this.#received));
    this.#received = 0;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const call of [...this.#calls, ...this.#waiting]) call.reject(error);
    this.#waiting.length = 0;
    this.#socket.destroy();
  }
}

/** The status of gRPC among headers; undefined when there is none. */
function statusIn(headers: readonly string[] | HeaderFault): string | undefined {
  const at = headers.indexOf("grpc-status");
  return at === -1 ? undefined : headers[at + 1];
}
