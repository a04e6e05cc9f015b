import type { Run } from "../program.ts";
import type { BenchDatabase, BenchServer } from "../server.ts";
import { measureBooks } from "./books.ts";
import { readDisk } from "./disk.ts";
import { best, type Figures, PATTERNS, type Pattern, type Row, type Subject } from "./figures.ts";
import { measureGrowth } from "./growth.ts";
import { preparePeer, runPeer } from "./peer.ts";
import type { Part, Settings } from "./settings.ts";

/** What each part of the bench works with. */
export interface Bench extends Run {
  readonly settings: Settings;
  readonly server: BenchServer;
}

const ON_BOOKS: readonly Part[] = ["in-process", "unary", "batch", "open", "sustained"];

/** Runs the peer and every part that the settings name. */
export async function runBench(bench: Bench): Promise<Figures> {
  const { settings, server } = bench;
  await using database = await server.database("bourse_bench");
  const rows = [...(await measurePeer(bench, database))];
  const verified: Figures["verified"][number][] = [];
  let disk: Figures["disk"];
  if (settings.only.some((part) => ON_BOOKS.includes(part))) {
    const measured = await measureBooks(bench, database, rows);
    rows.push(...measured.rows);
    verified.push(measured.verified);
    disk = await readDisk(database);
  }
  if (settings.only.includes("growth")) {
    await using own = await server.database("bourse_bench_growth");
    const grown = await measureGrowth(bench, own, {
      clients: best(rows, "pgbench")?.load ?? Math.max(...settings.clients),
      callers: best(rows, "in-process")?.load ?? Math.max(...settings.callers),
    });
    rows.push(...grown.rows);
    verified.push(grown.verified);
    disk = await readDisk(own);
  }
  return { rows, disk, verified };
}

async function measurePeer(bench: Bench, database: BenchDatabase): Promise<readonly Row[]> {
  const { accounts, clients, seconds } = bench.settings;
  await preparePeer(database, accounts);
  const rows: Row[] = [];
  for (const pattern of PATTERNS) {
    for (const count of clients) {
      rows.push(await peerRow(bench, database, { pattern, clients: count, seconds }));
    }
  }
  return rows;
}

/** One run of the peer. */
export async function peerRow(
  { settings, signal, say }: Bench,
  database: BenchDatabase,
  options: {
    readonly pattern: Pattern;
    readonly clients: number;
    readonly seconds: number;
    readonly subject?: Subject;
  },
): Promise<Row> {
  const { pattern, clients, seconds, subject = "pgbench" } = options;
  const { accounts } = settings;
  say(`${subject}, ${pattern}, ${clients} clients, ${seconds} s`);
  const hot = pattern === "hot";
  const run = await runPeer(database, { accounts, hot, clients, seconds, signal });
  const { perSecond, averageMs } = run;
  return { subject, pattern, load: clients, unit: "clients", perSecond, averageMs };
}
