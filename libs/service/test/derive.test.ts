import { describe, expect, test } from "vitest";
import { deriveUuid } from "../src/derive.ts";

describe("deriveUuid", () => {
  test("gives the same UUID for the same arguments, in this version and every later one", () => {
    expect(deriveUuid("hold", "task-20261121-101500-0badcafe", 1)).toBe(
      "cb30bbba-8da6-80e6-b737-3342fb9e3203",
    );
  });

  test("is a version 8 UUID of the RFC's variant", () => {
    expect(deriveUuid("hold", "a")).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test.each([
    ["the namespace", ["credit", "a", 1]],
    ["a part", ["hold", "b", 1]],
    ["the last part", ["hold", "a", 2]],
    ["the number of parts", ["hold", "a"]],
    ["where the parts meet", ["hold", "a1"]],
    ["where namespace and part meet", ["holda", "", 1]],
  ] as const)("gives another one when %s differs", (_, [namespace, ...parts]) => {
    expect(deriveUuid(namespace, ...parts)).not.toBe(deriveUuid("hold", "a", 1));
  });

  test("counts a number as its digits", () => {
    expect(deriveUuid("hold", "a", 7)).toBe(deriveUuid("hold", "a", 7n));
  });
});
