import { expect, test } from "vitest";
import { Expiry } from "../src/market/expiry.ts";
import { Picks } from "../src/market/picks.ts";

test("picks that a pause has left leave the window between calls, and a look takes out a few", () => {
  const picks = new Picks(60_000);
  const waiting: (() => void)[] = [];
  const expired: number[] = [];
  const expiry = new Expiry(
    picks,
    { now: () => new Date(61_000), later: (work) => void waiting.push(work) },
    ({ slot }) => expired.push(slot),
  );
  for (let slot = 0; slot < 1_000; slot += 1) picks.record(slot, 1_000);

  expiry.look(61_000);
  expiry.look(61_000);

  expect(expired).toHaveLength(16);
  expect(waiting).toHaveLength(1);
  while (waiting.length > 0) waiting.shift()?.();
  expect(expired).toEqual(Array.from({ length: 1_000 }, (_, slot) => slot));
  expect(picks.size).toBe(0);
});

test("who looks before anything has left the window leaves nothing to be done", () => {
  const picks = new Picks(60_000);
  const waiting: (() => void)[] = [];
  const expiry = new Expiry(
    picks,
    { now: () => new Date(0), later: (work) => void waiting.push(work) },
    () => {},
  );
  picks.record(0, 1_000);

  expiry.look(60_999);

  expect(picks.size).toBe(1);
  expect(waiting).toEqual([]);
});
