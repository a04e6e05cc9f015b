import { describe, expect, test } from "vitest";
import { reckon, type ShardReport, type ShardView } from "../src/shard.ts";

const SEEN: ShardView = { server: "s", epoch: "100", cursor: 500, lapsedMs: 1 };

function aReport(overrides: Partial<ShardReport> = {}): ShardReport {
  return { server: "s", epoch: "100", last: 600, changed: ["a"], lapsed: ["b"], ...overrides };
}

describe("a report of a shard", () => {
  test("names who has changed and whose lease has lapsed", () => {
    const { agentIds, lost, next } = reckon(SEEN, aReport(), 7);

    expect([agentIds, lost]).toEqual([["a", "b"], false]);
    expect(next).toEqual({ server: "s", epoch: "100", cursor: 600, lapsedMs: 7 });
  });

  test.each<[string, ShardView | undefined, ShardReport]>([
    ["it has another beginning", SEEN, aReport({ epoch: "550" })],
    ["it has no beginning any more", SEEN, aReport({ epoch: "", last: 0 })],
    ["it stands before what was seen", SEEN, aReport({ last: 499 })],
    ["another server answers, which may not have had the newest", SEEN, aReport({ server: "t" })],
    ["it could not be read until now", undefined, aReport()],
  ])("says that the shard was lost when %s", (_, view, report) => {
    expect(reckon(view, report, 7)).toMatchObject({ lost: true, agentIds: [] });
  });

  test("says nothing of the kind when the shard begins", () => {
    const view = { server: "s", epoch: "", cursor: 0, lapsedMs: 1 };

    expect(reckon(view, aReport(), 7).lost).toBe(false);
  });
});
