import { expect, test } from "vitest";
import { poll } from "./poll.ts";

test("a poll tries until there is an outcome", async () => {
  const outcomes = [undefined, undefined, "here"].values();

  expect(await poll(async () => outcomes.next().value, { everyMs: 1, limitMs: 5_000 })).toBe(
    "here",
  );
});

test("a poll gives up in time, and when it is stopped", async () => {
  const never = async () => undefined;

  expect(await poll(never, { everyMs: 1, limitMs: 5 })).toBeUndefined();
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(poll(never, { everyMs: 1, limitMs: 5_000, signal })).rejects.toThrow("stopped");
});
