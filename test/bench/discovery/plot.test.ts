import { expect, test } from "vitest";
import { drawCost } from "./plot.ts";

test("the picture has a line for each subject and an axis of sizes", () => {
  const row = { round: 1, pair: 0, perSecond: 1, p50Ms: 1, p99Ms: 1, maxMs: 1 };
  const picture = drawCost(
    [1_000, 100_000].flatMap((agents) => [
      { ...row, agents, subject: "empty, as SelectAgent", cpuUs: 30 },
      { ...row, agents, subject: "SelectAgent BEST", cpuUs: 35 },
    ]),
    { changes: 1_000 },
  );

  expect(picture).toMatch(/^<svg /);
  for (const word of ["empty, as SelectAgent", "SelectAgent BEST", "100,000"]) {
    expect(picture).toContain(word);
  }
});
