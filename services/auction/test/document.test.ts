import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDocument, parseDocument } from "../src/postgres/document.ts";
import { aDeliveredTask, anAwardedTask, aSpec } from "./support/builders.ts";

test("a document gives back every value with its type", () => {
  const { awards } = anAwardedTask();
  const { result } = aDeliveredTask();
  const spec = aSpec({ valueMicros: 9_000_000_000_000_000n, payload: '{"latencyMs":"12"}' });

  for (const value of [awards, result, spec]) {
    expect(parseDocument(formatDocument(value))).toEqual(value);
  }
});

test("numbers of 64 bits and texts of any kind pass through a document unharmed", () => {
  fc.assert(
    fc.property(
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      fc.string({ unit: "binary" }),
      (n, text) => {
        const value = { micros: n, latencyMs: n, successPpm: n, output: text, reference: text };

        expect(parseDocument(formatDocument(value))).toEqual(value);
      },
    ),
  );
});
