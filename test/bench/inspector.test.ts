import { expect, test } from "vitest";
import { hottest } from "./inspector.ts";

test("a profile tells where the time went, without that in which nothing was done", () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: { functionName: "(idle)", url: "" } },
      { id: 2, callFrame: { functionName: "pick", url: "file:///a/b/src/pick.ts" } },
      { id: 3, callFrame: { functionName: "", url: "" } },
    ],
    samples: [1, 2, 3, 2, 1, 2],
  };

  expect(hottest(profile, 1)).toEqual([{ name: "pick src/pick.ts", share: 0.75 }]);
  expect(hottest(profile, 9)[1]).toEqual({ name: "(anonymous)", share: 0.25 });
});
