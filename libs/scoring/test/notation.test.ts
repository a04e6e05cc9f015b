import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDuration,
  formatMicros,
  formatMoney,
  NotationError,
  parseDuration,
  parseMicros,
  parseMoney,
  parseRatio,
} from "../src/index.ts";

const INT64_MAX = 9_223_372_036_854_775_807n;

describe("a duration", () => {
  test.each([
    ["20m", 1_200_000n],
    ["45s", 45_000n],
    ["1h", 3_600_000n],
    ["500ms", 500n],
    [" 30m ", 1_800_000n],
    ["0s", 0n],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    "20",
    "m",
    "20 m",
    "-20m",
    "1.5h",
    "20d",
    "20M",
    "1h30m",
    "20m\n1",
    "9".repeat(99),
  ])("%j is refused with what is allowed", (text) => {
    expect(() => parseDuration(text)).toThrow(NotationError);
    expect(() => parseDuration(text)).toThrow("write a whole number and ms, s, m or h");
  });

  test.each([
    [1_200_000n, "20m"],
    [90_000n, "90s"],
    [7_200_000n, "2h"],
    [1_500n, "1500ms"],
    [0n, "0s"],
  ])("of %d ms is written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 14n), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe("money", () => {
  test.each([
    ["€2.50/task", { micros: 2_500_000n, currency: "EUR", per: "task" }],
    ["$0.80", { micros: 800_000n, currency: "USD" }],
    ["€3", { micros: 3_000_000n, currency: "EUR" }],
    ["€3/decision", { micros: 3_000_000n, currency: "EUR", per: "decision" }],
    ["$0.000001", { micros: 1n, currency: "USD" }],
    ["2.50 EUR", { micros: 2_500_000n, currency: "EUR" }],
    ["100000 SAT/task", { micros: 100_000_000_000n, currency: "SAT", per: "task" }],
    ["0.003USDC", { micros: 3_000n, currency: "USDC" }],
    [" €2.50 ", { micros: 2_500_000n, currency: "EUR" }],
  ])("%s is read exactly", (text, money) => {
    expect(parseMoney(text)).toEqual(money);
  });

  test.each([
    "",
    "2.50",
    "€",
    "€-1",
    "-€1",
    "€1,50",
    "€.5",
    "€1.",
    "£1",
    "€1/hour",
    "€1 EUR",
    "1 eur",
  ])("%j is refused with what is allowed", (text) => {
    expect(() => parseMoney(text)).toThrow(NotationError);
    expect(() => parseMoney(text)).toThrow("as in €2.50 or $0.80/task");
  });

  test.each([
    [2_500_000n, "EUR", "€2.50"],
    [-800_000n, "USD", "-$0.80"],
    [3_000n, "USD", "$0.003"],
    [0n, "EUR", "€0.00"],
    [100_000_000_000n, "SAT", "100000 SAT"],
    [2_741_600n, "CRD", "2.7416 CRD"],
    [-1_150_000n, "CRD", "-1.15 CRD"],
    [0n, "SAT", "0 SAT"],
  ])("of %d micros %s is written %s", (micros, currency, text) => {
    expect(formatMoney(micros, currency)).toBe(text);
  });

  test("is read back as it was written", () => {
    const anyCurrency = fc.constantFrom("EUR", "USD", "SAT", "CRD", "USDC");
    fc.assert(
      fc.property(fc.bigInt(0n, INT64_MAX), anyCurrency, (micros, currency) => {
        expect(parseMoney(formatMoney(micros, currency))).toEqual({ micros, currency });
      }),
    );
  });
});

describe("an amount", () => {
  test.each([
    ["1.5", 1_500_000n],
    ["0", 0n],
    ["9223372036854.775807", INT64_MAX],
  ])("%s is %d micros", (text, micros) => {
    expect(parseMicros(text)).toBe(micros);
  });

  test.each(["9223372036854.775808", "0.0000001", "1e3", "-1", "NaN", "Infinity", "0x1", "1_000"])(
    "%s is refused with what is allowed",
    (text) => {
      expect(() => parseMicros(text)).toThrow("write digits with up to six decimals");
    },
  );

  test("that is long is cut in the message", () => {
    expect(() => parseMicros("9".repeat(10_000))).toThrow(/^"9{40}\.\.\." is not an amount/);
  });

  test.each([
    [574_000n, 4, "0.5740"],
    [-84_000n, 3, "-0.084"],
    [2_500_000n, 0, "2"],
    [3_500_000n, 0, "4"],
    [125_000n, 2, "0.12"],
    [-1n, 2, "0.00"],
    [-1n, 6, "-0.000001"],
  ])("of %d micros with %d decimals is written %s", (micros, decimals, text) => {
    expect(formatMicros(micros, decimals)).toBe(text);
  });

  test.each([-1, 7, 1.5])("with %d decimals is refused", (decimals) => {
    expect(() => formatMicros(0n, decimals)).toThrow("an integer from 0 to 6");
  });
});

describe("a ratio", () => {
  test.each([
    ["0.98", 980_000n],
    ["98%", 980_000n],
    ["99.95%", 999_500n],
    ["1", 1_000_000n],
    ["100%", 1_000_000n],
    ["0", 0n],
  ])("%s is %d ppm", (text, ppm) => {
    expect(parseRatio(text)).toBe(ppm);
  });

  test.each(["", "%", "1.01", "101%", "-0.1", "0.00001%", "NaN", "98 percent"])(
    "%j is refused with what is allowed",
    (text) => {
      expect(() => parseRatio(text)).toThrow("write a number from 0 to 1");
    },
  );
});
