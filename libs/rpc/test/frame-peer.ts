import { once } from "node:events";
import { connect } from "node:net";
import { FrameInput } from "../src/http2/frame-input.ts";
import { FLAG, FRAME, HEAD_BYTES, PREFACE, writeHead } from "../src/http2/frames.ts";
import { HeaderDecoder } from "../src/http2/hpack-decoder.ts";
import { settingsPayload } from "../src/http2/settings.ts";

/** A frame that a server has sent. */
export interface HeardFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of HEADERS: names and values in turn. */
  readonly fields: readonly string[];
}

/** A client that says frames, right or wrong, and keeps those it hears. */
export interface FramePeer extends AsyncDisposable {
  readonly heard: readonly HeardFrame[];
  /** How many bytes came at once, each time something came. */
  readonly chunks: readonly number[];
  /** Whether the connection has ended. */
  readonly isOver: boolean;
  /** Resolves when it has. */
  readonly ended: Promise<void>;
  /** Writes frames, or any bytes, at once. */
  say(...frames: readonly Uint8Array[]): void;
  /** Writes bytes; resolves when the system has taken them, or the connection has ended. */
  said(bytes: Uint8Array): Promise<void>;
  /** Says no more. */
  hangUp(): void;
  /** The first frame heard that is so; rejects when the connection ends without one. */
  hears(test: (frame: HeardFrame) => boolean): Promise<HeardFrame>;
  /** Resolves when the server has answered a ping: it has read all that was said before. */
  synced(): Promise<void>;
  /** Reads nothing more, or goes on reading. */
  pause(): void;
  resume(): void;
}

/** Connects and greets with settings; `greeting` is said in the place of preface and settings. */
export async function connectFrames(
  address: string,
  settings: readonly (readonly [number, number])[] = [],
  greeting = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, settingsPayload(settings))]),
): Promise<FramePeer> {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host).on("error", () => {});
  await once(socket, "connect");
  const heard: HeardFrame[] = [];
  const chunks: number[] = [];
  const decoder = new HeaderDecoder(4_096, 1_000_000);
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const each of looks) each();
  };
  const input = new FrameInput({
    frame(type, flags, stream, bytes, begin, end) {
      const payload = Buffer.from(bytes.subarray(begin, end));
      const fields = type === FRAME.headers ? decoder.decode(payload) : [];
      if (typeof fields === "string") throw new Error(fields);
      heard.push({ type, flags, stream, payload, fields });
    },
  });
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk.length);
    input.read(chunk, 0);
    look();
  });
  let isOver = false;
  const ended = once(socket, "close").then(() => {
    isOver = true;
    look();
  });
  const say = (...frames: readonly Uint8Array[]): void => void socket.write(Buffer.concat(frames));
  const hears = (test: (frame: HeardFrame) => boolean): Promise<HeardFrame> =>
    new Promise((resolve, reject) => {
      const found = (): void => {
        const frame = heard.find(test);
        if (frame === undefined && !isOver) return;
        looks.delete(found);
        if (frame === undefined) reject(new Error(`the connection has ended after ${told(heard)}`));
        else resolve(frame);
      };
      looks.add(found);
      found();
    });
  let pings = 0;
  socket.write(greeting);
  return {
    heard,
    chunks,
    ended,
    get isOver() {
      return isOver;
    },
    say,
    said: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    hangUp: () => void socket.end(),
    hears,
    async synced() {
      pings += 1;
      const payload = Buffer.concat([Buffer.alloc(4), number(pings)]);
      say(frame(FRAME.ping, 0, 0, payload));
      await hears(({ type, flags, payload: answer }) => {
        return type === FRAME.ping && (flags & FLAG.ack) !== 0 && answer.equals(payload);
      });
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await ended;
    },
  };
}

/** Frames as a failed test tells of them. */
function told(frames: readonly HeardFrame[]): string {
  return frames
    .map(({ type, flags, stream, payload }) => {
      return `${type}/${flags} of ${stream}: ${payload.toString("hex", 0, 24)}`;
    })
    .join("; ");
}

/** A frame to say. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.set(payload, writeHead(bytes, 0, payload.length, type, flags, stream));
  return bytes;
}

/** A payload of one number of 32 bits, as of WINDOW_UPDATE and RST_STREAM. */
export function number(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}

/** A frame that lets the server send so many bytes more. */
export function windowFrame(stream: number, bytes: number): Buffer {
  return frame(FRAME.windowUpdate, 0, stream, number(bytes));
}

/** Whether the server has answered all of a stream. */
export function isAnswered(peer: FramePeer, stream: number): boolean {
  return peer.heard.some((each) => each.stream === stream && isLast(each));
}

function isLast({ type, flags }: HeardFrame): boolean {
  return type <= FRAME.headers && (flags & FLAG.endStream) !== 0;
}

/** The bytes of an answer so far. */
export function contentOf(peer: FramePeer, stream: number): Buffer {
  const data = peer.heard.filter((each) => each.type === FRAME.data && each.stream === stream);
  return Buffer.concat(data.map(({ payload }) => payload));
}
