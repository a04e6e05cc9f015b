import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";

/** A caller who speaks HTTP/2 himself and so may say what no gRPC library would. */
export interface RawCaller extends AsyncDisposable {
  /** Opens a call of a method such as `notes.v1.NoteService/Read`. */
  open(method: string, headers?: Record<string, string>): ClientHttp2Stream;
  /** Makes a whole call with one request message and returns its headers and trailers as one. */
  call(method: string, headers?: Record<string, string>, message?: Uint8Array): Promise<Heard>;
  /** Cuts the connection without a word. */
  vanish(): void;
}

/** Headers and trailers of an answer; Node types neither as the text that gRPC's are. */
export type Heard = Readonly<Record<string, IncomingHttpHeaders[string]>>;

/** Connects to a server. */
export function connectRaw(address: string): RawCaller {
  const session = connect(`http://${address}`);
  session.on("error", () => {});

  function open(method: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = session.request({
      ":method": "POST",
      ":path": `/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    // Whoever waits for the end is told through "close".
    return stream.on("error", () => {}).resume();
  }

  return {
    open,
    call(method, headers, message = new Uint8Array()) {
      return new Promise((resolve) => {
        const stream = open(method, headers);
        let heard: Heard = {};
        const hear = (more: IncomingHttpHeaders): void => {
          heard = { ...heard, ...more };
        };
        stream.on("response", hear).on("trailers", hear);
        stream.once("close", () => resolve(heard));
        stream.end(framed(message));
      });
    },
    vanish: () => session.destroy(),
    async [Symbol.asyncDispose]() {
      session.destroy();
    },
  };
}

/** A message behind gRPC's five bytes; `length` is what they claim. */
export function framed(message: Uint8Array, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}
