import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRefresher } from "../../src/routing/refresher.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A refresher of every second that has been started; it is answered as `well` says. */
async function started() {
  const asked = { count: 0, well: true, deliver: () => {} };
  const refresher = createRefresher({
    async ask() {
      asked.count += 1;
      return { answered: asked.well, deliver: () => asked.deliver() };
    },
    everyMs: 1_000,
    random: () => 0.5,
  });
  refresher.start();
  await pass(0);
  return { ...refresher, asked };
}

describe("what discovery said", () => {
  test("is asked for at once, and again after a while as long as it is used", async () => {
    const { asked, use } = await started();
    expect(asked.count).toBe(1);
    for (const count of [2, 3, 4]) {
      expect(use()).toBe(true);
      await pass(1_000);
      expect(asked.count).toBe(count);
    }
  });

  test("is not asked for while nobody uses it; the next use waits for it", async () => {
    const { asked, use } = await started();
    await pass(60_000);
    expect(asked.count).toBe(1);

    expect(use()).toBe(false);
    await pass(0);
    expect(asked.count).toBe(2);
    expect(use()).toBe(true);
  });

  test("may be used by those who waited for it as soon as they are told", async () => {
    const { asked, use } = await started();
    await pass(60_000);
    const usable: boolean[] = [];
    asked.deliver = () => usable.push(use());
    use();
    await pass(0);

    expect(usable).toEqual([true]);
  });

  test("is gone on with when there is no answer: uses do not wait a second time", async () => {
    const { asked, use } = await started();
    await pass(60_000);
    asked.well = false;
    use();
    await pass(0);

    expect(use()).toBe(true);
  });

  test("is asked for sooner when something has changed, but four times a second at most", async () => {
    const { asked, hurry } = await started();
    for (let count = 0; count < 100; count += 1) {
      hurry();
      await pass(10);
    }

    expect(asked.count).toBeGreaterThan(3);
    expect(asked.count).toBeLessThanOrEqual(5);
  });

  test("is asked for after longer and longer while there is no answer", async () => {
    const { asked, use, hurry } = await started();
    asked.well = false;
    for (let count = 0; count < 600; count += 1) {
      use();
      hurry();
      await pass(100);
    }

    expect(asked.count).toBeGreaterThan(10);
    expect(asked.count).toBeLessThan(30);
  });

  test("is not asked for after the end, and anew after another start", async () => {
    const { asked, start, stop, use } = await started();
    use();
    stop();
    await pass(60_000);
    expect(asked.count).toBe(1);

    start();
    await pass(0);
    expect(asked.count).toBe(2);
  });
});
