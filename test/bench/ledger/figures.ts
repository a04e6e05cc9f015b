import { atLeast, atMost, type Bar } from "../bars.ts";
import type { Verified } from "./driver.ts";
import type { Spread } from "./turns.ts";

/** Whose accounts a measurement was about: drawn at random, or all trades with the same one. */
export type Pattern = "random" | "hot";

/** Both, in the order in which they are measured. */
export const PATTERNS: readonly Pattern[] = ["random", "hot"];

/** What was measured. */
export type Subject =
  | "pgbench"
  | "in-process"
  | "unary gRPC"
  | "batch gRPC"
  | "open in-process"
  | "open unary gRPC"
  | "sustained pgbench"
  | "sustained"
  | "empty pgbench"
  | "empty"
  | "full pgbench"
  | "full";

/** One measurement. */
export interface Row {
  readonly subject: Subject;
  readonly pattern: Pattern;
  /** How much was asked at once, or how often. */
  readonly load: number;
  readonly unit: "clients" | "callers" | "arrivals/s";
  /** Transfers of the peer, movements of the ledger. */
  readonly perSecond: number;
  /** Of the peer, measured by turns with this; its best run counts where this is absent. */
  readonly peerPerSecond?: number;
  /** Over several rounds, of which this row is the middle one. */
  readonly spread?: Spread;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  readonly averageMs?: number;
  readonly slowestSecond?: number;
  readonly refused?: Readonly<Record<string, number>>;
}

/** What the books take up on the disk. */
export interface Disk {
  readonly movements: number;
  /** Of the movements with their indexes. */
  readonly bytesPerMovement: number;
  /** Of the whole schema, with accounts, transactions and the chain. */
  readonly schemaBytesPerMovement: number;
}

/** All that a run found. */
export interface Figures {
  readonly rows: readonly Row[];
  readonly disk: Disk | undefined;
  /** By database; each with what was acknowledged, which the books must show. */
  readonly verified: readonly (Verified & { readonly books: string; readonly answered: number })[];
}

/** The fastest run of a subject, or undefined. */
export function best(
  rows: readonly Row[],
  subject: Subject,
  pattern: Pattern = "random",
): Row | undefined {
  return rows
    .filter((row) => row.subject === subject && row.pattern === pattern)
    .reduce<Row | undefined>(
      (top, row) => (top === undefined || row.perSecond > top.perSecond ? row : top),
      undefined,
    );
}

/** How many times what the peer did beside it the best run of a subject is; undefined without either. */
export function times(
  rows: readonly Row[],
  subject: Subject,
  pattern: Pattern = "random",
  peer: Subject = "pgbench",
): number | undefined {
  const ours = best(rows, subject, pattern);
  if (ours === undefined) return undefined;
  const theirs = beside(rows, ours, peer);
  return theirs === undefined ? undefined : ours.perSecond / theirs;
}

/** What the peer did per second that a row is set beside; undefined when it did not run. */
export function beside(rows: readonly Row[], row: Row, peer: Subject): number | undefined {
  return row.peerPerSecond ?? best(rows, peer, row.pattern)?.perSecond;
}

/** The quotient of the ratio to the peer when full and when empty; undefined unless measured. */
export function growth(rows: readonly Row[]): number | undefined {
  const empty = times(rows, "empty", "random", "empty pgbench");
  const full = times(rows, "full", "random", "full pgbench");
  return empty === undefined || full === undefined ? undefined : full / empty;
}

/** The bars of all that was measured. */
export function barsOf({ rows, disk, verified }: Figures): readonly Bar[] {
  const slowest = rows
    .filter(({ subject }) => subject === "unary gRPC")
    .map(({ p99Ms = 0 }) => p99Ms);
  const wrong = verified.filter(
    ({ movements, answered, divergences }) => movements !== answered || divergences.length > 0,
  );
  return [
    least("in-process movements / pgbench, random", times(rows, "in-process"), 4),
    least("in-process movements / pgbench, hot", times(rows, "in-process", "hot"), 10),
    least("unary gRPC / pgbench, random", times(rows, "unary gRPC"), 1),
    least("unary gRPC / pgbench, hot", times(rows, "unary gRPC", "hot"), 3),
    slowest.length === 0
      ? undefined
      : atMost("unary gRPC p99 ms, the slower of both", Math.max(...slowest), 50),
    least("batch gRPC / pgbench, random", times(rows, "batch gRPC"), 4),
    least("ratio when full / ratio when empty", growth(rows), 0.8),
    disk === undefined
      ? undefined
      : atMost("bytes on disk per movement with indexes", disk.bytesPerMovement, 400),
    verified.length === 0
      ? undefined
      : atMost("books that Verify or the count of answers contradicts", wrong.length, 0),
  ].filter((bar) => bar !== undefined);
}

function least(name: string, value: number | undefined, bar: number): Bar | undefined {
  return value === undefined ? undefined : atLeast(name, value, bar);
}
