import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Intake } from "../src/intake.ts";

const STALL_MS = 800;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("who holds something for longer than a message may take is told, once", () => {
  const intake = new Intake({ maxBytes: 100, stallMs: STALL_MS });
  const told: string[] = [];
  intake.share(() => told.push("slow")).hold(1);

  vi.advanceTimersByTime(STALL_MS);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(STALL_MS / 8);
  expect(told).toEqual(["slow"]);

  vi.advanceTimersByTime(10 * STALL_MS);
  expect(told).toEqual(["slow"]);
});

test("who gives back in time is not told, and begins anew with its next message", () => {
  const intake = new Intake({ maxBytes: 100, stallMs: STALL_MS });
  const told: string[] = [];
  const share = intake.share(() => told.push("slow"));
  for (let message = 0; message < 5; message += 1) {
    share.hold(1);
    vi.advanceTimersByTime(STALL_MS / 2);
    share.hold(0);
  }

  vi.advanceTimersByTime(10 * STALL_MS);

  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a process that was stopped for long blames nobody for it", () => {
  const intake = new Intake({ maxBytes: 100, stallMs: STALL_MS });
  const told: string[] = [];
  const share = intake.share(() => told.push("slow"));
  share.hold(1);

  const nowMs = performance.now() + 3_600_000;
  vi.spyOn(performance, "now").mockReturnValue(nowMs);
  vi.advanceTimersToNextTimer();
  share.hold(0);

  expect(told).toEqual([]);
});
