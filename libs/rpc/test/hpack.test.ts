import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CompressionError } from "../src/http2/compression-error.ts";
import { HeaderDecoder } from "../src/http2/hpack-decoder.ts";
import { HeaderEncoder } from "../src/http2/hpack-encoder.ts";
import { blockOf } from "./block-of.ts";

const TABLE_BYTES = 4096;
const LIST_BYTES = 65_536;

function decoder(tableBytes = TABLE_BYTES, listBytes = LIST_BYTES): HeaderDecoder {
  return new HeaderDecoder(tableBytes, listBytes);
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

const AUTHORITY = [":authority", "www.example.com"];
const REQUESTS = [
  [":method", "GET", ":scheme", "http", ":path", "/", ...AUTHORITY],
  [":method", "GET", ":scheme", "http", ":path", "/", ...AUTHORITY, "cache-control", "no-cache"],
  [
    ...[":method", "GET", ":scheme", "https", ":path", "/index.html", ...AUTHORITY],
    ...["custom-key", "custom-value"],
  ],
];
const LOCATION = ["location", "https://www.example.com"];
const PRIVATE = ["cache-control", "private"];
const DATE = ["date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const RESPONSES = [
  [":status", "302", ...PRIVATE, ...DATE, ...LOCATION],
  [":status", "307", ...PRIVATE, ...DATE, ...LOCATION],
  [
    ...[":status", "200", ...PRIVATE, "date", "Mon, 21 Oct 2013 20:13:22 GMT", ...LOCATION],
    ...["content-encoding", "gzip"],
    ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

describe("the examples of RFC 7541 are read as they are meant", () => {
  test.each([
    ["C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key"],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path"],
    ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password"],
    ["C.2.4", "82", ":method"],
  ])("%s", (_, hex, name) => {
    const values = new Map([
      ["custom-key", "custom-header"],
      [":path", "/sample/path"],
      ["password", "secret"],
      [":method", "GET"],
    ]);

    expect(decoder().decode(bytes(hex))).toEqual([name, values.get(name)]);
  });

  test.each([
    [
      "C.3",
      TABLE_BYTES,
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
      REQUESTS,
    ],
    [
      "C.4",
      TABLE_BYTES,
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
      REQUESTS,
    ],
    [
      "C.5",
      256,
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032
         303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        "4803 3330 37c1 c0bf",
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0
         5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851
         5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
      RESPONSES,
    ],
    [
      "C.6",
      256,
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b
         ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        "4883 640e ffc1 c0bf",
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad
         94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160
         65c0 03ed 4ee5 b106 3d50 07`,
      ],
      RESPONSES,
    ],
  ])("%s", (_, tableBytes, blocks, lists) => {
    const reader = decoder(tableBytes);

    expect(blocks.map((hex) => reader.decode(bytes(hex.replaceAll(/\s/g, ""))))).toEqual(lists);
  });
});

describe("what is no block is told as a CompressionError", () => {
  test.each([
    ["index 0", "80"],
    ["an index of nothing in the dynamic table", "be"],
    ["the index of a name that is not there", "7f 00 01 61"],
    ["a number that does not end", "ff 80 80 80 80 80 80 00"],
    ["a number that is too large", "ff ff ff ff ff 7f"],
    ["a number that is cut off", "ff 80"],
    ["a name that is cut off", "00 05 61 62"],
    ["a value that is cut off", "00 01 61 05 62"],
    ["a value in Huffman's code that is cut off", "00 01 61 82 1c"],
    ["a field without a value", "00 01 61"],
    ["a field that made room for others", "3f 25 40 01 61 01 62 40 01 63 01 64 40 01 65 01 66 c0"],
    [
      "a field larger than the table, which empties it",
      "3f 03 40 01 61 01 62 40 03 61 61 61 00 be",
    ],
    ["a string longer than any block", "00 7f ff ff ff 7f"],
    ["a table above the limit", "3f e2 1f"],
    ["a table size behind a field", "82 20"],
    ["a table size behind a literal", "00 01 61 01 62 20"],
    ["padding of 8 bits", "00 01 61 82 1f ff"],
    ["padding of zeroes", "00 01 61 81 18"],
    ["EOS", "00 01 61 84 ff ff ff ff"],
    ["a code that begins and does not end", "00 01 61 82 ff fe"],
    ["padding alone, of a whole byte", "00 01 61 81 ff"],
  ])("%s", (_, hex) => {
    expect(() => decoder().decode(bytes(hex))).toThrow(CompressionError);
  });

  test("whatever the bytes are, after each other and cut anywhere", () => {
    const step = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .constantFrom("20", "3f e1 1f", "82", "be", "c0", "41 8c f1e3c2e5f23a6ba0ab90f4ff")
        .map(bytes),
      fc.constantFrom("40 01 61 01 62", "40 00 00", "00 83 ff ff ff", "7f 9a 0a").map(bytes),
    );
    const blocks = fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 8 });
    fc.assert(
      fc.property(blocks, fc.nat({ max: 300 }), (parts, tableBytes) => {
        const reader = decoder(tableBytes, 500);
        try {
          for (const part of parts) {
            const heard = reader.decode(Buffer.concat(part));
            if (typeof heard !== "string") expect(heard.length % 2).toBe(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CompressionError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a field that HTTP/2 does not know makes a block malformed", () => {
  test.each([
    ["a name in upper case", "00 01 41 01 62"],
    ["no name", "00 00 01 62"],
    ["a name that is a colon", "00 01 3a 01 62"],
    ["a colon inside a name", "00 03 61 3a 62 01 62"],
    ["a blank in a name", "00 03 61 20 62 01 62"],
    ["a name that is not ASCII", "00 01 e4 01 62"],
    ["a bracket in a name", "00 02 61 28 01 62"],
    ["a line break in a value", "00 01 61 03 62 0a 63"],
    ["a carriage return in a value", "00 01 61 03 62 0d 63"],
    ["a NUL in a value", "00 01 61 03 62 00 63"],
    ["a line break in Huffman's code", "00 01 61 84 ff ff ff f3"],
    ["a blank before a value", "00 01 61 02 20 62"],
    ["a tab behind a value", "00 01 61 02 62 09"],
    ["a value of one blank", "00 01 61 01 20"],
  ])("%s, at once and again from the table", (_, hex) => {
    const reader = decoder();
    const added = bytes(hex);
    added[0] = 0x40;

    expect(reader.decode(bytes(hex))).toBe("malformed");
    expect(reader.decode(added)).toBe("malformed");
    expect(reader.decode(bytes("be"))).toBe("malformed");
    expect(reader.decode(bytes("82"))).toEqual([":method", "GET"]);
  });

  test("only the part of it that is wrong, when a name is used again", () => {
    const reader = decoder();
    reader.decode(bytes("40 01 61 01 20"));

    expect(reader.decode(bytes("7e 01 62"))).toEqual(["a", "b"]);
  });

  test.each(["00 01 61 00", "00 01 61 03 62 09 63", "00 01 61 01 e4", "00 02 3a 61 01 62"])(
    "but not an empty value, inner blanks, other letters, a colon in front: %s",
    (hex) => {
      expect(decoder().decode(bytes(hex))).toHaveLength(2);
    },
  );
});

describe("a list that is too large", () => {
  test("is told so, counts 32 bytes for each field, and the table is right afterwards", () => {
    const reader = decoder(TABLE_BYTES, 2 * 34);

    expect(reader.decode(bytes("40 01 61 01 62 be"))).toEqual(["a", "b", "a", "b"]);
    expect(reader.decode(bytes("40 01 63 01 64 be bf"))).toBe("too large");
    expect(reader.decode(bytes("be bf"))).toEqual(["c", "d", "a", "b"]);
  });

  test("is not kept, however often a block names the largest entry there may be", () => {
    const reader = decoder();
    const value = Buffer.alloc(4_000, "v");
    const block = Buffer.concat([bytes("40 01 61 7f a1 1e"), value, Buffer.alloc(1_000_000, 0xbe)]);
    const before = process.memoryUsage().heapUsed;

    expect(reader.decode(block)).toBe("too large");

    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  });
});

/** The names that a test's encoder is told of, and others. */
const names = fc.constantFrom(
  "content-type",
  "grpc-status",
  ":status",
  "x-request-id",
  "date",
  "a",
);
const text = fc.stringMatching(/^([!-~]([ -~]{0,60}[!-~])?)?$/);
const values = fc.oneof(fc.constantFrom("0", "200", "application/grpc"), text);
const list = fc.array(fc.tuple(names, values), { maxLength: 12 }).map((fields) => fields.flat());

describe("an encoder", () => {
  test("writes what a decoder reads, whatever tables the peer allows", () => {
    const step = fc.record({ list, tableBytes: fc.option(fc.nat({ max: 5_000 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const encoder = new HeaderEncoder(new Set(["content-type", "grpc-status", ":status"]));
        const reader = decoder(5_000);
        for (const { list, tableBytes } of steps) {
          if (tableBytes !== null) encoder.setTableBytes(tableBytes);
          const block = blockOf(encoder, list);
          expect(reader.decode(block)).toEqual(list);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("never adds more than a peer's table holds, so that an index stays right", () => {
    const encoder = new HeaderEncoder(new Set(["a"]));
    const reader = decoder(100);
    encoder.setTableBytes(100);
    const lists = ["first", "second", "third", "first", "second"].map((value) => ["a", value]);

    expect(lists.map((each) => reader.decode(blockOf(encoder, each)))).toEqual(lists);
  });

  test("tells a peer who lowers and raises his table to empty it", () => {
    const encoder = new HeaderEncoder(new Set(["a"]));
    const reader = decoder();
    reader.decode(blockOf(encoder, ["a", "b"]));

    encoder.setTableBytes(100);
    encoder.setTableBytes(TABLE_BYTES);

    expect(blockOf(encoder, ["a", "b"])).toEqual(bytes("20 3f e1 1f 40 01 61 01 62"));
    expect(blockOf(encoder, ["a", "b"])).toEqual(bytes("be"));
  });

  test("takes a few bytes for the answers of an RPC server", () => {
    const encoder = new HeaderEncoder(new Set(["content-type", "grpc-status"]));
    const head = (id: string) => [
      ...[":status", "200", "content-type", "application/grpc+proto", "x-request-id", id],
    ];
    const trailers = ["grpc-status", "0"];
    for (const first of [head("first"), trailers]) blockOf(encoder, first);

    expect(blockOf(encoder, head("r".repeat(32)))).toHaveLength(2 + 2 + 1 + 32);
    expect(blockOf(encoder, trailers)).toHaveLength(1);
  });
});
