import type { BenchDatabase } from "../server.ts";
import { closedRow, count, openDriver, type Tally, warm } from "./books.ts";
import { type Driver, driveBooks } from "./driver.ts";
import type { Figures, Row } from "./figures.ts";
import { fillPeer, preparePeer } from "./peer.ts";
import { type Bench, peerRow } from "./run.ts";
import { byTurns } from "./turns.ts";

/** Large enough that the books are filled in minutes. */
const FILL_PARCEL = 2_000;
const FILL_CALLERS = 4;
const DAY_S = 86_400;

/**
 * Measures the peer and the in-process API on empty tables and then on full ones, with the same
 * clients and callers. The books are filled by the ledger itself, with holds and settlements like
 * any others, so that balances, indexes and chain are as years would have made them; only the
 * waiting for the disk is left out.
 */
export async function measureGrowth(
  bench: Bench,
  database: BenchDatabase,
  best: { readonly clients: number; readonly callers: number },
): Promise<{ readonly rows: readonly Row[]; readonly verified: Figures["verified"][number] }> {
  const { settings, signal, say } = bench;
  const { accounts, seconds, rounds, fill } = settings;
  const pattern = "random";
  const tally: Tally = { answered: 0 };
  const rows: Row[] = [];
  const measure = async (stage: "empty" | "full", driver: Driver) => {
    const { clients, callers: load } = best;
    const subject = `${stage} pgbench` as const;
    await warm(bench, driver, tally);
    const peer = () => peerRow(bench, database, { subject, pattern, clients, seconds });
    const ours = async () => {
      await database.checkpoint();
      return closedRow(bench, driver, tally, { subject: stage, pattern, load, seconds });
    };
    rows.push(...(await byTurns(peer, [ours], rounds)));
  };

  await preparePeer(database, accounts);
  {
    await using driver = await openDriver(bench, database, tally);
    await measure("empty", driver);
  }
  say(`filling both with ${fill} movements`);
  await fillPeer(database, { accounts, transfers: fill });
  {
    await using filler = driveBooks(withoutWaiting(database.url), signal);
    const deedsMax = Math.ceil(Math.max(0, fill - tally.answered) / FILL_PARCEL / 2);
    const load = { accounts, hot: false, seconds: DAY_S, parcel: FILL_PARCEL, deedsMax };
    count(tally, await filler.closed({ ...load, callers: FILL_CALLERS }));
  }
  await database.pool.query("vacuum analyze");
  await using driver = driveBooks(database.url, signal);
  await measure("full", driver);
  say("Verify");
  const verified = await driver.verify();
  return { rows, verified: { books: "growth", answered: tally.answered, ...verified } };
}

/** The same database, on connections that do not wait for the disk. */
function withoutWaiting(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.append("options", "-c synchronous_commit=off");
  return url.href;
}
