import { spawnSync } from "node:child_process";
import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { describe, expect, test } from "vitest";
import { h2loadVersion } from "../bench/h2load.ts";
import { findPgbench } from "../bench/ledger/peer.ts";
import { bourse } from "../support/command.ts";

const hasPgbench = await succeeds(findPgbench());
const hasH2load = await succeeds(h2loadVersion());
const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

/** As little as there can be of it: what it finds says nothing of any speed. */
const SMALL =
  "--accounts 100 --seconds 1 --rounds 1 --clients 1 --callers 16 --only in-process".split(" ");

test.skipIf(!hasPgbench)(
  "the bench of the ledger runs it beside pgbench, verifies the books and holds both to bars",
  async () => {
    const { exitCode, stdout, stderr } = await bourse("bench", "ledger", "--json", ...SMALL);

    expect(exitCode, stderr).toBe(0);
    const { bench, settings, figures, bars } = JSON.parse(stdout);
    expect(bench).toBe("ledger");
    expect(settings).toMatchObject({
      server: "embedded",
      postgres: { fsync: "on", synchronous_commit: "on" },
    });
    expect(figures.rows.map((row: { subject: string }) => row.subject)).toEqual([
      "pgbench",
      "pgbench",
      "in-process",
      "in-process",
    ]);
    for (const { perSecond } of figures.rows) expect(perSecond).toBeGreaterThan(0);
    const [verified] = figures.verified;
    expect(verified).toMatchObject({ movements: verified.answered, divergences: [] });
    expectBars(bars);
  },
);

describe.skipIf(!hasH2load || !hasRedis)("the bench of discovery", () => {
  test("measures each strategy and search beside the empty server while profiles change", async () => {
    const small = "--agents 300,1000 --seconds 1 --connections 4 --streams 1 --rounds 1";
    const only = "--only register,select,search,ready";
    const options = `${small} ${only} --changes 50`.split(" ");

    const { exitCode, stdout, stderr } = await bourse("bench", "discovery", "--json", ...options);

    expect(exitCode, stderr).toBe(0);
    const { bench, figures, bars } = JSON.parse(stdout);
    expect(bench).toBe("discovery");
    const strategies = Object.keys(SelectionStrategy).filter((name) => name !== "UNSPECIFIED");
    expect(subjectsOf(figures.rows)).toEqual([
      "empty, as SelectAgent",
      ...strategies.map((name) => `SelectAgent ${name}`),
      "empty, as SearchAgents",
      "SearchAgents",
    ]);
    for (const { perSecond } of figures.rows) expect(perSecond).toBeGreaterThan(0);
    expect(figures.sizes).toHaveLength(2);
    for (const { ready, visible, changesPerSecond, changesRefused } of figures.sizes) {
      expect(ready.seconds).toBeGreaterThan(0);
      expect(visible.samples).toBeGreaterThan(0);
      expect(changesPerSecond).toBeGreaterThan(0);
      expect(changesRefused).toEqual({});
    }
    expectBars(bars);
  }, 240_000);
});

test.runIf(!hasH2load || !hasRedis)("the bench of discovery says what it lacks", async () => {
  const { exitCode, stderr } = await bourse("bench", "discovery", "--quick");

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/apt-get install (nghttp2-client|redis-server)/);
});

function subjectsOf(rows: readonly { readonly subject: string }[]): readonly string[] {
  return [...new Set(rows.map(({ subject }) => subject))];
}

function expectBars(bars: readonly unknown[]): void {
  expect(bars.length).toBeGreaterThan(0);
  for (const bar of bars) {
    expect(bar).toEqual({
      name: expect.any(String),
      value: expect.any(Number),
      bar: expect.any(Number),
      ok: expect.any(Boolean),
    });
  }
}
