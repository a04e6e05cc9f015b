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
  );

  expect(rows).toMatchObject([
    { subject: "unary gRPC", perSecond: 1_000, peerPerSecond: 150 },
    { subject: "batch gRPC", perSecond: 3_000, peerPerSecond: 300 },
  ]);
  expect(said).toEqual(["pgbench", "unary gRPC", "pgbench", "batch gRPC", "pgbench"]);
});

test("the peer does not run where nothing is to be set beside it", async () => {
  const rows = await byTurns(() => Promise.reject(new Error("it ran")), []);

  expect(rows).toEqual([]);
});
