import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader, framed } from "../src/frame.ts";
import { Rejection } from "../src/index.ts";

const LIMIT = 1_000;

/** A frame that claims to be compressed. */
function compressed(bytes: Uint8Array): Buffer {
  const frame = framed(bytes);
  frame[0] = 1;
  return frame;
}

function reasonOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Rejection) return error.reason;
    throw error;
  }
  return "none";
}

describe("messages", () => {
  test("are framed by their length", () => {
    expect([...framed(Uint8Array.of(7, 8))]).toEqual([0, 0, 0, 0, 2, 7, 8]);
  });

  test("come out whole and in order wherever the wire has cut them", () => {
    const message = fc.uint8Array({ maxLength: 200 });
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 60 }));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), cuts, (messages, lengths) => {
        const reader = new FrameReader(LIMIT, "identity");
        let rest = Buffer.concat(messages.map(framed));
        const heard: Buffer[] = [];
        while (rest.length > 0) {
          const length = lengths.next().value as number;
          heard.push(...reader.push(rest.subarray(0, length)));
          rest = rest.subarray(length);
        }
        reader.end();
        expect(heard.map((bytes) => [...bytes])).toEqual(messages.map((bytes) => [...bytes]));
      }),
    );
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ])("compressed by %s are read", (encoding, deflate) => {
    const reader = new FrameReader(LIMIT, encoding);

    const heard = [...reader.push(compressed(deflate(Buffer.from("hello"))))];

    expect(heard.map(String)).toEqual(["hello"]);
  });
});

test("the beginning of a message takes little more than its bytes, in however many pieces", () => {
  const reader = new FrameReader(LIMIT, "identity");

  for (const byte of framed(Buffer.alloc(LIMIT)).subarray(0, LIMIT)) {
    expect([...reader.push(Buffer.from([byte]))]).toEqual([]);
  }

  expect(reader.keptBytes).toBeLessThanOrEqual(2 * LIMIT);
});

describe("what is no message", () => {
  test.each([
    ["longer than the limit", "identity", framed(Buffer.alloc(LIMIT + 1)), "MESSAGE_TOO_LARGE"],
    [
      "a little that becomes more than the limit",
      "gzip",
      compressed(gzipSync(Buffer.alloc(LIMIT + 1))),
      "MESSAGE_TOO_LARGE",
    ],
    ["not what it claims", "gzip", compressed(Buffer.from("hello")), "INVALID_REQUEST"],
    ["of an unknown encoding", "br", compressed(Buffer.from("hello")), "UNIMPLEMENTED"],
    ["of an encoding that was not named", "identity", compressed(Buffer.alloc(1)), "UNIMPLEMENTED"],
    [
      "of an encoding that is a word of the language",
      "constructor",
      compressed(Buffer.alloc(1)),
      "UNIMPLEMENTED",
    ],
  ])("is refused: %s", (_, encoding, bytes, reason) => {
    const reader = new FrameReader(LIMIT, encoding);

    expect(reasonOf(() => [...reader.push(bytes)])).toBe(reason);
  });

  test("is refused by its length alone", () => {
    const reader = new FrameReader(LIMIT, "identity");

    const prefix = framed(Buffer.alloc(LIMIT + 1)).subarray(0, 5);

    expect(reasonOf(() => [...reader.push(prefix)])).toBe("MESSAGE_TOO_LARGE");
  });

  test("is refused when it ends too early", () => {
    const reader = new FrameReader(LIMIT, "identity");
    expect([...reader.push(framed(Buffer.from("hello")).subarray(0, 7))]).toEqual([]);

    expect(reasonOf(() => reader.end())).toBe("INVALID_REQUEST");
  });
});
