import { describe, expect, test } from "vitest";
import { BenchFailure } from "./failure.ts";
import { readH2load, readLog } from "./h2load.ts";

const REPORT = `starting benchmark...
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 3.00s, 9344.50 req/s, 1.69MB/s
requests: 18688 total, 18690 started, 18689 done, 18688 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 18720 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 3.37MB (3537885) total, 128.59KB (131678) headers (space savings 96.39%)
`;

describe("the report of h2load", () => {
  test("is read for what was answered and how fast", () => {
    expect(readH2load(REPORT)).toEqual({ calls: 18_688, perSecond: 9_344.5 });
  });

  test.each([
    ["is not whole", REPORT.split("status codes")[0] ?? ""],
    ["tells of calls that failed", REPORT.replace("0 failed", "3 failed")],
    ["tells of calls that timed out", REPORT.replace("0 timeout", "3 timeout")],
    ["tells of answers that are none", REPORT.replace("0 5xx", "3 5xx")],
  ])("is refused when it %s", (_how, report) => {
    expect(() => readH2load(report)).toThrow(BenchFailure);
  });
});

test("the log of h2load tells how long each request took, in milliseconds", () => {
  expect(readLog("1795246183314585\t200\t4458\n1795246183314586\t0\t1500\n")).toEqual([4.458, 1.5]);
});
