import { describe, expect, test } from "vitest";
import { gather } from "../src/gather.ts";

/** Readings that are answered by hand. */
function aReader(atOnce: number) {
  const readings: { keys: readonly string[]; done: PromiseWithResolvers<Map<string, string>> }[] =
    [];
  const read = gather<string>((keys) => {
    const done = Promise.withResolvers<Map<string, string>>();
    readings.push({ keys, done });
    return done.promise;
  }, atOnce);
  const answer = (nth: number) => {
    const reading = readings[nth];
    reading?.done.resolve(new Map(reading.keys.map((key) => [key, `${key} of ${nth}`])));
  };
  return { read, readings, answer, keys: () => readings.map(({ keys }) => keys.join("")) };
}

describe("values that are read together", () => {
  test("are read at once while few readings are under way, then many in one", async () => {
    const { read, answer, keys } = aReader(3);

    const asked = [..."abcdefghi"].map((key) => read(key));
    expect(keys()).toEqual(["a", "b", "c", "d"]);
    answer(1);
    await asked[1];

    expect(keys()).toEqual(["a", "b", "c", "d", "efg"]);
    answer(4);
    expect(await asked[6]).toBe("g of 4");
    expect(keys().at(-1)).toBe("hi");
  });

  test("of one key are one reading, which begins after the last was asked for", async () => {
    const { read, answer, keys } = aReader(9);
    const early = [..."aaaa"].map((key) => read(key));

    const late = [read("a"), read("a")];
    answer(0);

    expect(await early[0]).toBe("a of 0");
    expect(keys()).toHaveLength(5);
    answer(4);
    expect(await Promise.all(late)).toEqual(["a of 4", "a of 4"]);
  });

  test("that are not there are undefined", async () => {
    const read = gather(async () => new Map<string, string>(), 9);

    expect(await read("a")).toBeUndefined();
  });

  test("fail together, and only they", async () => {
    const { read, readings, answer } = aReader(9);
    const first = read("a");
    readings[0]?.done.reject(new Error("away"));

    await expect(first).rejects.toThrow("away");
    const second = read("b");
    answer(1);

    expect(await second).toBe("b of 1");
  });
});
