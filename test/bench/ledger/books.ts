import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { choosePorts, startMarket } from "@bourse/cli/market";
import type { BenchDatabase } from "../server.ts";
import { type Driver, driveBooks, driveRemote, type Measure } from "./driver.ts";
import { best, type Figures, PATTERNS, type Pattern, type Row, type Subject } from "./figures.ts";
import { type Bench, peerRow } from "./run.ts";
import { byTurns } from "./turns.ts";

const TOKEN_TTL_SECONDS = 24 * 60 * 60;
/** Of the best closed loop: an open one at its very limit would only show its own queue. */
const OPEN_SHARE = 0.5;

/** Trades for each account until all but one in a thousand have taken part: two are drawn for a trade. */
const TRADES_TO_MEET = 3.5;
const HOUR_S = 3_600;

/** How many times as long as a measurement the time before the first one is. */
const WARM_UP = 2;

/** Counts what the books have acknowledged, to be compared with what they show. */
export interface Tally {
  answered: number;
}

/** Measures all that is done on one set of books, and then verifies them. */
export async function measureBooks(
  bench: Bench,
  database: BenchDatabase,
  peer: readonly Row[],
): Promise<{ readonly rows: readonly Row[]; readonly verified: Figures["verified"][number] }> {
  const { settings, signal } = bench;
  const wants = (part: (typeof settings.only)[number]) => settings.only.includes(part);
  const tally: Tally = { answered: 0 };
  const rows: Row[] = [];
  {
    await using driver = await openDriver(bench, database, tally);
    await warm(bench, driver, tally);
    if (wants("in-process")) rows.push(...(await inProcess(bench, database, driver, tally, peer)));
    const callers = best(rows, "in-process")?.load ?? Math.max(...settings.callers);
    if (wants("sustained")) {
      const clients = best(peer, "pgbench")?.load ?? Math.max(...settings.clients);
      rows.push(...(await sustained(bench, database, driver, tally, { clients, callers })));
    }
    const top = best(rows, "in-process")?.perSecond;
    if (wants("open") && top !== undefined) {
      // A deed holds and settles: two movements.
      const perSecond = Math.round((top * OPEN_SHARE) / 2);
      rows.push(await openRow(bench, driver, tally, { subject: "open in-process", perSecond }));
    }
  }
  if (wants("unary") || wants("batch")) rows.push(...(await remote(bench, database, tally, peer)));
  bench.say("Verify");
  await using verifier = driveBooks(database.url, signal);
  const verified = await verifier.verify();
  return { rows, verified: { books: "measured", answered: tally.answered, ...verified } };
}

/** A driver on books that it has opened, with money on every account. */
export async function openDriver(
  { settings, signal, say }: Bench,
  database: BenchDatabase,
  tally: Tally,
): Promise<Driver> {
  const { accounts } = settings;
  const driver = driveBooks(database.url, signal);
  say(`deposits for ${accounts} accounts`);
  count(tally, await driver.fund(accounts));
  await database.pool.query("vacuum analyze");
  return driver;
}

/** Lets a driver compile its code, and remember what it may of the accounts, as after some days. */
export async function warm({ settings }: Bench, driver: Driver, tally: Tally): Promise<void> {
  const { accounts, callers, seconds } = settings;
  const load = { accounts, hot: false, seconds: WARM_UP * seconds, callers: Math.max(...callers) };
  count(tally, await driver.closed(load));
}

async function inProcess(
  bench: Bench,
  database: BenchDatabase,
  driver: Driver,
  tally: Tally,
  peer: readonly Row[],
): Promise<readonly Row[]> {
  const { callers, rounds, seconds } = bench.settings;
  const rows: Row[] = [];
  for (const pattern of PATTERNS) {
    const loads = callers.map((load) => async () => {
      await database.checkpoint();
      const subject = "in-process";
      return closedRow(bench, driver, tally, { subject, pattern, load, seconds });
    });
    rows.push(...(await byTurns(peerAgain(bench, database, peer, pattern), loads, rounds)));
  }
  return rows;
}

/** Runs the peer once more, with as many clients as served it best. */
function peerAgain(
  bench: Bench,
  database: BenchDatabase,
  peer: readonly Row[],
  pattern: Pattern,
): () => Promise<Row> {
  const { clients: counts, seconds } = bench.settings;
  const clients = best(peer, "pgbench", pattern)?.load ?? Math.max(...counts);
  return () => peerRow(bench, database, { pattern, clients, seconds });
}

async function sustained(
  bench: Bench,
  database: BenchDatabase,
  driver: Driver,
  tally: Tally,
  { clients, callers }: { readonly clients: number; readonly callers: number },
): Promise<readonly Row[]> {
  const seconds = bench.settings.sustainedSeconds;
  const pattern = "random";
  const peer = { subject: "sustained pgbench", pattern, clients, seconds } as const;
  const ours = { subject: "sustained", pattern, load: callers, seconds } as const;
  const first = await peerRow(bench, database, peer);
  await database.checkpoint();
  return [first, await closedRow(bench, driver, tally, ours)];
}

/** Measures a ledger process, among the other services of a market, on the same books. */
async function remote(
  bench: Bench,
  database: BenchDatabase,
  tally: Tally,
  peer: readonly Row[],
): Promise<readonly Row[]> {
  const { settings, signal, say } = bench;
  const { accounts, seconds, rounds, unaryCallers, parcel, parcelCallers, only } = settings;
  await using stack = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), "bourse-bench-market-"));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  say("starting a market");
  const ports = await choosePorts("auto");
  const market = stack.use(await startMarket({ data, ports, databaseUrl: database.url }));
  const token = await market.signer.mint("service:bench", TOKEN_TTL_SECONDS);
  const driver = stack.use(driveRemote(market.address("ledger"), token, signal));
  // This ledger has not met the accounts yet: until it remembers them, and its code is compiled.
  const deedsMax = Math.ceil((accounts * TRADES_TO_MEET) / parcel);
  const meeting = {
    accounts,
    hot: false,
    seconds: HOUR_S,
    deedsMax,
    callers: parcelCallers,
    parcel,
  };
  count(tally, await driver.closed(meeting));
  const warming = { accounts, hot: false, seconds: WARM_UP * seconds, callers: unaryCallers };
  count(tally, await driver.closed(warming));
  const kinds = [
    { part: "unary", subject: "unary gRPC", load: unaryCallers },
    { part: "batch", subject: "batch gRPC", load: parcelCallers, parcel },
  ] as const;
  const rows: Row[] = [];
  for (const pattern of PATTERNS) {
    const wanted = kinds.filter(({ part }) => only.includes(part));
    const loads = wanted.map(({ part: _part, ...kind }) => async () => {
      await database.checkpoint();
      return closedRow(bench, driver, tally, { ...kind, pattern, seconds });
    });
    rows.push(...(await byTurns(peerAgain(bench, database, peer, pattern), loads, rounds)));
  }
  const top = best(rows, "unary gRPC")?.perSecond;
  if (only.includes("open") && top !== undefined) {
    const perSecond = Math.round((top * OPEN_SHARE) / 2);
    rows.push(await openRow(bench, driver, tally, { subject: "open unary gRPC", perSecond }));
  }
  return rows;
}

/** One closed loop. */
export async function closedRow(
  { settings: { accounts }, say }: Bench,
  driver: Driver,
  tally: Tally,
  options: {
    readonly subject: Subject;
    readonly pattern: Pattern;
    readonly load: number;
    readonly seconds: number;
    readonly parcel?: number;
  },
): Promise<Row> {
  const { subject, pattern, load, ...rest } = options;
  say(`${subject}, ${pattern}, ${load} callers, ${rest.seconds} s`);
  const measure = await driver.closed({ accounts, hot: pattern === "hot", callers: load, ...rest });
  return { ...rowOf(count(tally, measure)), subject, pattern, load, unit: "callers" };
}

async function openRow(
  { settings: { accounts, seconds }, say }: Bench,
  driver: Driver,
  tally: Tally,
  { subject, perSecond }: { readonly subject: Subject; readonly perSecond: number },
): Promise<Row> {
  say(`${subject}, random, ${perSecond} arrivals/s, ${seconds} s`);
  const measure = await driver.open({ accounts, hot: false, seconds, perSecond });
  const row = rowOf(count(tally, measure));
  return { ...row, subject, pattern: "random", load: perSecond, unit: "arrivals/s" };
}

/** Adds what a load has made, and returns it. */
export function count(tally: Tally, measure: Measure): Measure {
  tally.answered += measure.movements;
  return measure;
}

function rowOf(measure: Measure) {
  const { movements, seconds, p50Ms, p99Ms, maxMs, slowestSecond, refused } = measure;
  return { perSecond: movements / seconds, p50Ms, p99Ms, maxMs, slowestSecond, refused };
}
