import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gathering, walk } from "../src/gathering.ts";
import type { Step, Turn } from "../src/rotation.ts";

/** Steps of a ring of three, of which each may leave some out. */
const RING = ["a", "b", "c"] as const;
const someStep: fc.Arbitrary<Step> = fc
  .subarray([...RING], { minLength: 0 })
  .map((present) => (cursor) => present.find((id) => id > (cursor ?? "")) ?? present[0]);

/** Takes turns one batch at a time, each as soon as it is told to. */
function aDesk() {
  const batches: { key: string; count: number; go: () => void; fail: (error: Error) => void }[] =
    [];
  const cursors = new Map<string, string | undefined>();
  const turn = gathering((key, steps) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Turn[]>();
    const go = () => {
      const { cursors: places, end } = walk(cursors.get(key), steps);
      cursors.set(key, end);
      resolve(places.map((cursor) => ({ cursor, alone: false })));
    };
    batches.push({ key, count: steps.length, go, fail: reject });
    return promise;
  });
  const batch = async (nth: number) => {
    await expect.poll(() => batches[nth]).toBeDefined();
    return batches[nth] as (typeof batches)[number];
  };
  return { turn, batch, batches };
}

const next: Step = (cursor) => String(Number(cursor ?? 0) + 1);

describe("turns that wait for a key", () => {
  test("go together: what is asked while a batch is under way is the next batch", async () => {
    const { turn, batch, batches } = aDesk();
    const first = [turn("k", next), turn("k", next)];
    const underWay = await batch(0);
    const second = [turn("k", next), turn("k", next), turn("k", next)];

    underWay.go();
    (await batch(1)).go();

    const cursors = (await Promise.all([...first, ...second])).map(({ cursor }) => cursor);
    expect(cursors).toEqual(["1", "2", "3", "4", "5"]);
    expect(batches.map(({ count }) => count)).toEqual([2, 3]);
  });

  test("do not wait for those of another key", async () => {
    const { turn, batch } = aDesk();
    void turn("held", next);
    await batch(0);

    const other = turn("other", next);
    (await batch(1)).go();

    expect((await other).cursor).toBe("1");
  });

  test("fail alone: what fails one batch leaves the next as it is", async () => {
    const { turn, batch } = aDesk();
    const lost = turn("k", next);
    const refused = expect(lost).rejects.toThrow("away");
    const underWay = await batch(0);
    const kept = turn("k", next);

    underWay.fail(new Error("away"));
    (await batch(1)).go();

    await refused;
    expect((await kept).cursor).toBe("1");
  });
});

describe("a walk by several steps", () => {
  test("ends where the same steps end one by one", () => {
    const from = fc.option(fc.constantFrom(...RING), { nil: undefined });
    fc.assert(
      fc.property(from, fc.array(someStep), (start, steps) => {
        let cursor: string | undefined = start;
        const oneByOne = steps.map((step) => {
          const to = step(cursor);
          cursor = to ?? cursor;
          return to;
        });

        expect(walk(start, steps)).toEqual({ cursors: oneByOne, end: cursor });
      }),
    );
  });
});
