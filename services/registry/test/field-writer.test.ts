import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FieldWriter } from "../src/field-writer.ts";

type Content =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "message"; readonly fields: readonly Field[]; readonly guess: number };

type Field = { readonly field: number } & Content;

const anyInt = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, -1),
);
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("x".repeat(127), "x".repeat(128), "\u20ac".repeat(50), "\u20ac".repeat(5_000)),
);
const anyBytes = fc.oneof(
  fc.uint8Array(),
  fc.nat(40_000).map((length) => new Uint8Array(length)),
);
const anyGuess = fc.constantFrom(0, 127, 128, 512, 65_536);

const { fields: anyFields } = fc.letrec<{ fields: Field[]; field: Field }>((tie) => ({
  fields: fc.array(tie("field"), { maxLength: 4 }),
  field: fc
    .tuple(
      fc.integer({ min: 1, max: 15 }),
      fc.oneof(
        { depthSize: "small" },
        fc.record({ kind: fc.constant("text"), value: anyText }),
        fc.record({ kind: fc.constant("bytes"), value: anyBytes }),
        fc.record({ kind: fc.constant("int"), value: anyInt }),
        fc.record({ kind: fc.constant("double"), value: fc.double() }),
        fc.record({ kind: fc.constant("message"), fields: tie("fields"), guess: anyGuess }),
      ),
    )
    .map(([field, content]) => ({ field, ...content }) as Field),
}));

const writer = new FieldWriter();

function write(one: Field): void {
  if (one.kind !== "message") {
    writer[one.kind](one.field, one.value as never);
    return;
  }
  const from = writer.begin(one.field, one.guess);
  for (const inner of one.fields) write(inner);
  writer.end(from);
}

function expected(fields: readonly Field[], to = new BinaryWriter()): BinaryWriter {
  for (const { field, ...content } of fields) {
    switch (content.kind) {
      case "text":
        to.tag(field, WireType.LengthDelimited).string(content.value);
        break;
      case "bytes":
        to.tag(field, WireType.LengthDelimited).bytes(content.value);
        break;
      case "int":
        to.tag(field, WireType.Varint).int64(content.value);
        break;
      case "double":
        to.tag(field, WireType.Bit64).double(content.value);
        break;
      default:
        expected(content.fields, to.tag(field, WireType.LengthDelimited).fork()).join();
    }
  }
  return to;
}

test("fields are written as by the library", () => {
  fc.assert(
    fc.property(anyFields, (fields) => {
      for (const field of fields) write(field);
      const { length } = writer;

      const written = writer.finish();

      expect(written.length).toBe(length);
      expect(Buffer.from(written).equals(expected(fields).finish())).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("what was written stays when the next is", () => {
  writer.text(1, "first");
  const first = writer.finish();
  writer.text(1, "other");

  expect(Buffer.from(first.subarray(2)).toString()).toBe("first");
  expect(Buffer.from(writer.finish().subarray(2)).toString()).toBe("other");
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 53])("%d is refused", (value) => {
  expect(() => writer.int(1, value)).toThrow(RangeError);
  writer.finish();
});
