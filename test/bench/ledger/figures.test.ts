import { describe, expect, test } from "vitest";
import { barsOf, best, type Figures, growth, type Row, type Subject, times } from "./figures.ts";

describe("figures", () => {
  test("set the best run beside the best run of the peer on accounts of the same pattern", () => {
    const rows = [
      aRow("pgbench", 100, { load: 1 }),
      aRow("pgbench", 200, { load: 8 }),
      aRow("pgbench", 50, { pattern: "hot" }),
      aRow("in-process", 900, { load: 16 }),
      aRow("in-process", 800, { load: 256 }),
      aRow("in-process", 500, { pattern: "hot" }),
    ];

    expect(best(rows, "pgbench")?.load).toBe(8);
    expect(times(rows, "in-process")).toBe(4.5);
    expect(times(rows, "in-process", "hot")).toBe(10);
    expect(times(rows, "unary gRPC")).toBeUndefined();
  });

  test("set a run beside what the peer did by turns with it, where that was measured", () => {
    const rows = [aRow("pgbench", 200), aRow("batch gRPC", 900, { peerPerSecond: 300 })];

    expect(times(rows, "batch gRPC")).toBe(3);
  });

  test("compare the ratio when full with the ratio when empty, each with its own peer", () => {
    const rows = [
      aRow("empty pgbench", 100),
      aRow("empty", 500),
      aRow("full pgbench", 50),
      aRow("full", 200),
    ];

    expect(growth(rows)).toBe(0.8);
    expect(growth(rows.slice(1))).toBeUndefined();
  });
});

describe("bars", () => {
  const peer = [aRow("pgbench", 100), aRow("pgbench", 10, { pattern: "hot" })];

  test.each<[string, Partial<Figures>, number, boolean]>([
    ["in-process movements / pgbench, random, at least", rows(aRow("in-process", 400)), 4, true],
    [
      "in-process movements / pgbench, random, at least",
      rows(aRow("in-process", 399)),
      3.99,
      false,
    ],
    ["in-process movements / pgbench, hot, at least", rows(hot("in-process", 100)), 10, true],
    ["in-process movements / pgbench, hot, at least", rows(hot("in-process", 99)), 9.9, false],
    ["unary gRPC / pgbench, random, at least", rows(aRow("unary gRPC", 100)), 1, true],
    ["unary gRPC / pgbench, random, at least", rows(aRow("unary gRPC", 50)), 0.5, false],
    ["unary gRPC / pgbench, hot, at least", rows(hot("unary gRPC", 30)), 3, true],
    ["unary gRPC / pgbench, hot, at least", rows(hot("unary gRPC", 20)), 2, false],
    ["unary gRPC p99 ms, the slower of both, at most", latencies(50, 20), 50, true],
    ["unary gRPC p99 ms, the slower of both, at most", latencies(20, 51), 51, false],
    ["batch gRPC / pgbench, random, at least", rows(aRow("batch gRPC", 400)), 4, true],
    ["batch gRPC / pgbench, random, at least", rows(aRow("batch gRPC", 300)), 3, false],
    ["bytes on disk per movement with indexes, at most", bytes(400), 400, true],
    ["bytes on disk per movement with indexes, at most", bytes(401), 401, false],
    ["books that Verify or the count of answers contradicts, at most", books(5, 5), 0, true],
    ["books that Verify or the count of answers contradicts, at most", books(5, 4), 1, false],
    ["books that Verify or the count of answers contradicts, at most", books(5, 5, "x"), 1, false],
  ])("hold %s: %#", (name, figures, value, ok) => {
    const bars = barsOf({ rows: peer, disk: undefined, verified: [], ...figures });

    expect(bars.find((bar) => bar.name === name)).toMatchObject({ value, ok });
  });

  test("are there only for what was measured", () => {
    expect(barsOf({ rows: peer, disk: undefined, verified: [] })).toEqual([]);
  });

  function rows(...measured: readonly Row[]): Partial<Figures> {
    return { rows: [...peer, ...measured] };
  }

  function hot(subject: Subject, perSecond: number): Row {
    return aRow(subject, perSecond, { pattern: "hot" });
  }

  function latencies(random: number, hotMs: number): Partial<Figures> {
    const unary = aRow("unary gRPC", 100, { p99Ms: random });
    return rows(unary, { ...unary, pattern: "hot", p99Ms: hotMs });
  }

  function bytes(bytesPerMovement: number): Partial<Figures> {
    return { disk: { movements: 1, bytesPerMovement, schemaBytesPerMovement: 1_000 } };
  }

  function books(answered: number, movements: number, ...divergences: string[]): Partial<Figures> {
    return { verified: [{ books: "measured", answered, movements, divergences }] };
  }
});

function aRow(subject: Subject, perSecond: number, fields: Partial<Row> = {}): Row {
  return { subject, pattern: "random", load: 8, unit: "callers", perSecond, ...fields };
}
