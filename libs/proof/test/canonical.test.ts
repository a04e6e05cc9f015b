import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, type Json } from "../src/index.ts";

describe("canonical JSON", () => {
  test.each<[Json, string]>([
    [{ b: 1, a: [true, null, "x"] }, '{"a":[true,null,"x"],"b":1}'],
    [{ "€": 1, "\r": 2, "1": 3, "😀": 4, ö: 5 }, '{"\\r":2,"1":3,"ö":5,"€":1,"😀":4}'],
    [[1e21, 0.000001, -0, 4.5], "[1e+21,0.000001,0,4.5]"],
    ['\u0007"\\/', '"\\u0007\\"\\\\/"'],
  ])("of %j is %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test("does not exist for a number that JSON cannot hold", () => {
    expect(() => canonicalJson({ a: [Number.NaN] })).toThrow(RangeError);
  });

  test("is JSON of the same value, and the same whatever the order of names", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());

        expect(JSON.parse(canonicalJson(value as Json))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed as Json)).toBe(canonicalJson(value as Json));
      }),
    );
  });
});
