import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizeCapabilities } from "../src/capability.ts";

describe("capabilities", () => {
  test("are trimmed, in lower case, each once, sorted", () => {
    expect(normalizeCapabilities([" Python ", "OCR", "python", "c++"])).toEqual([
      "c++",
      "ocr",
      "python",
    ]);
  });

  test("are the same whatever their order, repetition, case and margins", () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9_.:/+-]{0,10}$/);
    fc.assert(
      fc.property(fc.array(name), fc.func(fc.nat(3)), (names, dress) => {
        const dressed = [...names, ...names.slice(0, 2)]
          .map((each) => [each, ` ${each}`, each.toUpperCase(), `${each}\t`][dress(each)] ?? each)
          .reverse();

        expect(normalizeCapabilities(dressed)).toEqual([...new Set(names)].sort());
      }),
    );
  });

  test("that are normal already stay as they are", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (names) => {
        const once = normalizeCapabilities(names);

        expect(normalizeCapabilities(once)).toEqual(once);
      }),
    );
  });
});
