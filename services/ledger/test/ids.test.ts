import { describe, expect, test } from "vitest";
import { createIds } from "../src/ids.ts";

const AT = Date.UTC(2026, 10, 21, 10);

/** The time that an id bears. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 13).replace("-", ""), 16);
}

describe("ids", () => {
  test("are UUIDs of version 7 that bear the time", () => {
    const id = createIds(() => AT)();

    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(timeOf(id)).toBe(AT);
  });

  test.each([
    ["stands", () => AT],
    ["goes on", (nth: number) => AT + nth],
    ["goes back", (nth: number) => AT - nth],
    ["jumps", (nth: number) => AT + ((nth * 7_919) % 1_000)],
  ])("grow when the clock %s", (_, at) => {
    let calls = 0;
    const newId = createIds(() => at(calls++));

    const ids = Array.from({ length: 20_000 }, newId);

    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("take the next millisecond when one is used up", () => {
    const newId = createIds(() => AT);
    let last = newId();
    for (let count = 0; count < 2 ** 24 && timeOf(last) === AT; count += 1) {
      const next = newId();
      if (next <= last) throw new Error(`${next} comes after ${last}`);
      last = next;
    }

    expect(timeOf(last)).toBe(AT + 1);
  });

  test("differ between processes that count in the same millisecond", () => {
    const all = [createIds(() => AT), createIds(() => AT)].flatMap((newId) =>
      Array.from({ length: 1_000 }, newId),
    );

    expect(new Set(all).size).toBe(all.length);
  });
});
