import { once } from "node:events";
import { connect } from "node:net";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const INITIAL_WINDOW_SIZE = 4;
const END_STREAM = 1;
const END_HEADERS = 4;

/** A caller who writes the frames of HTTP/2 himself, so that several arrive in one piece. */
export interface RawSocket extends AsyncDisposable {
  /** Writes frames at once. */
  say(...frames: readonly Buffer[]): void;
}

/** Connects to a server and greets it; `windowBytes` is what it may send per call unasked. */
export async function connectSocket(address: string, windowBytes = 65_535): Promise<RawSocket> {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host).on("error", () => {});
  await once(socket, "connect");
  socket.resume();
  const window = Buffer.from([0, INITIAL_WINDOW_SIZE, 0, 0, 0, 0]);
  window.writeUInt32BE(windowBytes, 2);
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, window)]));
  return {
    say: (...frames) => void socket.write(Buffer.concat(frames)),
    [Symbol.asyncDispose]: async () => void socket.destroy(),
  };
}

/** The headers of a call; other ones replace or join those of gRPC. */
export function headersFrame(
  stream: number,
  method: string,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const all = {
    ":method": "POST",
    ":scheme": "http",
    ":path": `/${method}`,
    ":authority": "test",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  };
  // Literals that are not indexed, in plain text.
  const block = Object.entries(all).flatMap(([name, value]) => [
    Buffer.from([0]),
    text(name),
    text(value),
  ]);
  return frame(HEADERS, END_HEADERS, stream, Buffer.concat(block));
}

/** Some bytes of a call, its last when `end` says so. */
export function dataFrame(stream: number, bytes: Uint8Array, end = false): Buffer {
  return frame(DATA, end ? END_STREAM : 0, stream, bytes);
}

/** Takes a call back; 0 is no error, 8 a cancellation. */
export function resetFrame(stream: number, code: number): Buffer {
  return frame(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, code]));
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, "latin1")]);
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
