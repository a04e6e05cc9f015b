import { describe, expect, test } from "vitest";
import { closedLoop, type Deed, openLoop } from "./load.ts";
import { drawTrade, ownerOf } from "./parties.ts";

/** A clock that moves only when it is told to, and calls that take as long as it says. */
function aClock() {
  let at = 0;
  return {
    now: () => at,
    /** A call that the next `ms` answer. */
    taking: (ms: number) => async () => {
      at += ms;
    },
    later: (then: () => void) => {
      at += 1;
      setImmediate(then);
    },
  };
}

describe("a closed loop", () => {
  test("has each caller begin its next deed when the one before is answered", async () => {
    const clock = aClock();
    let underWay = 0;
    let most = 0;
    const deed: Deed = async (timed) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await timed(2, clock.taking(10));
      underWay -= 1;
    };

    const measure = await closedLoop({ deed, callers: 3, seconds: 0.3, now: clock.now });

    expect(most).toBe(3);
    const { calls, movements, seconds, refused } = measure;
    expect({ movements, seconds, refused }).toEqual({
      movements: calls * 2,
      seconds: calls / 100,
      refused: {},
    });
    expect(calls).toBeGreaterThanOrEqual(30);
    expect(calls).toBeLessThanOrEqual(33);
  });

  test("counts the time until the last answer", async () => {
    const clock = aClock();
    const deed: Deed = (timed) => timed(1, clock.taking(4_000));

    const measure = await closedLoop({ deed, callers: 1, seconds: 1, now: clock.now });

    expect(measure).toMatchObject({ calls: 1, seconds: 4, maxMs: 4_000 });
  });

  test("ends after so many deeds when that is asked", async () => {
    const clock = aClock();
    const deed: Deed = (timed) => timed(1, clock.taking(1));
    const endless = { callers: 2, seconds: 1_000, now: clock.now };

    const measure = await closedLoop({ deed, deedsMax: 5, ...endless });

    expect(measure.calls).toBe(5);
  });

  test("fails with what a deed throws", async () => {
    const deed: Deed = () => Promise.reject(new Error("no funds"));

    const load = closedLoop({ deed, callers: 2, seconds: 1, now: () => 0 });

    await expect(load).rejects.toThrow("no funds");
  });

  test("tells the movements of its slowest whole second", async () => {
    const clock = aClock();
    const lengths = [500, 400, 1_000, 200, 200, 200, 200, 200];
    const deed: Deed = (timed) => timed(1, clock.taking(lengths.shift() ?? 300));

    const measure = await closedLoop({ deed, callers: 1, seconds: 2.9, now: clock.now });

    expect(measure).toMatchObject({ calls: 8, seconds: 2.9, slowestSecond: 1 });
  });
});

describe("an open loop", () => {
  const reasonOf = (error: unknown) => (error as Error).message;

  test("times a call from when it was due, so that a stall counts for all who come in it", async () => {
    const { now, later, taking } = aClock();
    const stall = [taking(100)];
    const deed: Deed = (timed) => timed(1, stall.pop() ?? taking(0));

    const options = { deed, seconds: 0.1, perSecond: 100, now, later, reasonOf };
    const measure = await openLoop(options);

    expect(measure.calls).toBe(10);
    expect(measure.maxMs).toBeGreaterThanOrEqual(100);
    expect(measure.p50Ms).toBeGreaterThan(40);
  });

  test("times each further call of a deed from the answer before it", async () => {
    const { now, later, taking } = aClock();
    const deed: Deed = async (timed) => {
      await timed(1, taking(30));
      await timed(1, taking(5));
    };

    const options = { deed, seconds: 1, perSecond: 1, now, later, reasonOf };
    const measure = await openLoop(options);

    expect(measure).toMatchObject({ calls: 2, maxMs: 30 });
    expect(measure.p50Ms).toBeCloseTo(5, 1);
  });

  test("counts what was refused by its reason and goes on", async () => {
    const { now, later, taking } = aClock();
    let nth = 0;
    const deed: Deed = async (timed) => {
      nth += 1;
      if (nth % 2 === 0) throw new Error("LEDGER_BUSY");
      await timed(1, taking(0));
    };

    const options = { deed, seconds: 1, perSecond: 10, now, later, reasonOf };
    const measure = await openLoop(options);

    expect(measure).toMatchObject({ calls: 5, movements: 5, refused: { LEDGER_BUSY: 5 } });
  });
});

describe("a trade", () => {
  const draws = [0, 0.25, 0.5, 0.75, 0.999];
  const rolls = draws.flatMap((a) => draws.flatMap((b) => [0.1, 0.9].map((c) => [a, b, c])));

  test.each([2, 3, 1_000])("is between two different ones of %i accounts", (accounts) => {
    const owners = new Set(Array.from({ length: accounts }, (_, nth) => ownerOf(nth)));
    for (const hot of [false, true]) {
      for (const roll of rolls) {
        const dice = [...roll, 0.5];
        const { payer, provider, micros } = drawTrade({ accounts, hot }, () => dice.shift() ?? 0);

        expect(payer).not.toBe(provider);
        expect(owners).toContain(payer);
        expect(owners).toContain(provider);
        expect(micros).toBeGreaterThanOrEqual(1n);
        expect(micros).toBeLessThanOrEqual(1_000n);
        if (hot) expect([payer, provider]).toContain(ownerOf(0));
      }
    }
  });
});
