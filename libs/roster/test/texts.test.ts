import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Texts } from "../src/texts.ts";

/** Slots that come close to each other, and texts around the borders of units, chunks and what is long. */
const step = fc.record({
  slot: fc.nat(40),
  length: fc.oneof(
    fc.nat(100),
    fc.integer({ min: 65_500, max: 65_600 }),
    fc.constantFrom(0, 15, 16, 17, 60_000, 2_000_000),
  ),
  fill: fc.integer({ min: 0, max: 255 }),
});

describe("texts", () => {
  test("are found again as they were set last, whatever was set and taken away between", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const texts = new Texts();
        const model = new Map<number, string>();
        for (const { slot, length, fill } of steps) {
          const text = String.fromCharCode(fill).repeat(length);
          texts.set(slot, text);
          model.set(slot, text);
        }
        for (let slot = 0; slot <= 41; slot += 1) {
          expect(texts.get(slot) === (model.get(slot) ?? "")).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("take no memory beside that of those that were most at once", () => {
    const texts = new Texts();
    const fill = (length: number) => {
      for (let slot = 0; slot < 4_000; slot += 1) texts.set(slot, "x".repeat(length));
    };
    fill(1_000);
    const before = process.memoryUsage().arrayBuffers;

    for (let round = 0; round < 20; round += 1) {
      fill(0);
      fill(1_000);
    }

    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });
});
