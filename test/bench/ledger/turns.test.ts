import { expect, test } from "vitest";
import type { Row, Subject } from "./figures.ts";
import { byTurns } from "./turns.ts";

test("a load is set beside the mean of the peer's runs right before and right after it", async () => {
  const said: Subject[] = [];
  const run = async (subject: Subject, perSecond: number): Promise<Row> => {
    said.push(subject);
    return { subject, pattern: "random", load: 8, unit: "callers", perSecond };
  };
  const peers = [100, 200, 400];

  const rows = await byTurns(
    () => run("pgbench", peers.shift() ?? 0),
    [() => run("unary gRPC", 1_000), () => run("batch gRPC", 3_000)],
    1,
  );

  expect(rows).toMatchObject([
    { subject: "unary gRPC", perSecond: 1_000, peerPerSecond: 150 },
    { subject: "batch gRPC", perSecond: 3_000, peerPerSecond: 300 },
  ]);
  expect(said).toEqual(["pgbench", "unary gRPC", "pgbench", "batch gRPC", "pgbench"]);
});

test.each([
  [[900, 500, 800], 800, [5, 9]],
  [[900, 500], 500, [5, 9]],
])(
  "of rounds that made %j the one with the ratio in the middle is told",
  async (made, told, spread) => {
    const run = async (subject: Subject, perSecond = 0): Promise<Row> => {
      return { subject, pattern: "random", load: 8, unit: "callers", perSecond };
    };
    const left = [...made];

    const rows = await byTurns(
      () => run("pgbench", 100),
      [() => run("in-process", left.shift())],
      made.length,
    );

    expect(rows).toMatchObject([{ perSecond: told, peerPerSecond: 100, spread }]);
  },
);

test("the peer does not run where nothing is to be set beside it", async () => {
  const rows = await byTurns(() => Promise.reject(new Error("it ran")), [], 3);

  expect(rows).toEqual([]);
});
