import { PREFACE } from "./frames.ts";

const A = 65;
const Z = 90;

/** Told to who speaks HTTP/1. */
const TEXT = "this port speaks gRPC: HTTP/2 from the first byte, without TLS\n";
export const HTTP1_ANSWER = Buffer.from(
  [
    "HTTP/1.1 400 Bad Request",
    "connection: close",
    "content-type: text/plain",
    `content-length: ${TEXT.length}`,
    "",
    TEXT,
  ].join("\r\n"),
);

/** How a peer begins: as it must (RFC 9113, section 3.4), with HTTP/1, or with something else. */
export type Beginning = "whole" | "partial" | "http1" | "unknown";

/** Reads the first bytes of a connection. */
export class Greeting {
  #read = 0;

  get isDone(): boolean {
    return this.#read === PREFACE.length;
  }

  /** Looks at the next bytes; when they make it whole, `rest` of them is of the frames behind. */
  take(chunk: Buffer): { readonly beginning: Beginning; readonly rest: number } {
    const bytes = Math.min(PREFACE.length - this.#read, chunk.length);
    if (PREFACE.compare(chunk, 0, bytes, this.#read, this.#read + bytes) !== 0) {
      const first = this.#read === 0 ? (chunk[0] ?? 0) : A;
      return { beginning: first >= A && first <= Z ? "http1" : "unknown", rest: 0 };
    }
    this.#read += bytes;
    return { beginning: this.isDone ? "whole" : "partial", rest: bytes };
  }
}
