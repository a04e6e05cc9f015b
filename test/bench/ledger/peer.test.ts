import { describe, expect, test } from "vitest";
import { BenchFailure } from "../failure.ts";
import { peerScript, readPgbench } from "./peer.ts";

const REPORT = `pgbench (15.20 (Debian 15.20-0+deb12u1), server 18.4)
transaction type: /tmp/bourse-peer-1/transfer.sql
scaling factor: 1
query mode: prepared
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 10 s
number of transactions actually processed: 98230
number of failed transactions: 0 (0.000%)
latency average = 0.814 ms
initial connection time = 12.345 ms
tps = 9823.456789 (without initial connection time)
`;

describe("the report of pgbench", () => {
  test("is read for what was done, how fast, and how long each took", () => {
    expect(readPgbench(REPORT)).toEqual({
      transfers: 98_230,
      perSecond: 9_823.456789,
      averageMs: 0.814,
    });
  });

  test("is refused when it is not whole", () => {
    const [half] = REPORT.split("tps");

    expect(() => readPgbench(half ?? "")).toThrow(BenchFailure);
  });
});

describe("the script of pgbench", () => {
  test("draws one side at random, and the first account when that is hot", () => {
    const line = /^\\set one (.*)$/m;

    expect(line.exec(peerScript({ accounts: 50, hot: false }))?.[1]).toBe("random(1, 50)");
    expect(line.exec(peerScript({ accounts: 50, hot: true }))?.[1]).toBe("1");
  });

  test("never draws the same account for both sides", () => {
    expect(peerScript({ accounts: 50, hot: false })).toContain(
      "\\set other 1 + (:one + random(0, 48)) % 50\n",
    );
  });
});
