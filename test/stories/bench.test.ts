import { expect, test } from "vitest";
import { findPgbench } from "../bench/ledger/peer.ts";
import { bourse } from "../support/command.ts";

const hasPgbench = await findPgbench().then(
  () => true,
  () => false,
);

/** As little as there can be of it: what it finds says nothing of any speed. */
const SMALL = "--accounts 100 --seconds 1 --clients 1 --callers 16 --only in-process".split(" ");

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
    expect(bars.length).toBeGreaterThan(0);
    for (const bar of bars) {
      expect(bar).toEqual({
        name: expect.any(String),
        value: expect.any(Number),
        bar: expect.any(Number),
        ok: expect.any(Boolean),
      });
    }
  },
  120_000,
);
