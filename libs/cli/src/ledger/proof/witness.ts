import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Market } from "@bourse/client";
import {
  CheckpointError,
  checkConsistency,
  consistencyDocument,
  parseCheckpoint,
} from "@bourse/proof";
import { ConnectError } from "@connectrpc/connect";
import pc from "picocolors";
import { Failure, messageOf } from "../../failure.ts";
import { untilStopped } from "../../market/stop-signal.ts";
import { openMarket, tellingRefusals } from "../connection.ts";
import { readCheckpoint, readText } from "./files.ts";

interface WitnessOptions {
  readonly data: string;
  /** Seconds. */
  readonly every?: string;
  readonly key?: string;
}

/** Whoever comes first after long has tiles made of all that was written since. */
const PATIENT = { timeoutMs: 120_000 };

/**
 * `bourse ledger witness`: takes a checkpoint, sees for itself that it continues the newest one in the folder, and
 * keeps it there as `<batches>.txt`; once, or every so many seconds. What contradicts the one before is kept as
 * `contradiction-<batches>.txt`, and the command ends with exit code 1.
 */
export function witness(folder: string, { data, every, key }: WitnessOptions): Promise<void> {
  const restMs = every === undefined ? undefined : 1_000 * secondsOf(every);
  mkdirSync(folder, { recursive: true });
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    if (restMs === undefined) {
      console.log((await look(market, folder, key)) ?? "nothing new: all as before");
      return;
    }
    const stopping = new AbortController();
    const { signal } = stopping;
    void untilStopped().then(() => stopping.abort());
    while (!signal.aborted) {
      const news = await look(market, folder, key).catch(tellOutage);
      if (news !== undefined) console.log(`${new Date().toISOString()} ${news}`);
      await pause(restMs, undefined, { signal }).catch(() => {});
    }
  });
}

/** A ledger that is away is asked again; one that contradicts itself is not. */
function tellOutage(error: unknown): undefined {
  if (!(error instanceof ConnectError)) throw error;
  console.error(`${new Date().toISOString()} no answer: ${error.rawMessage}`);
}

/** Answers with what was kept; undefined when that is there already. */
async function look({ lineage }: Market, folder: string, key: string | undefined) {
  const told = await lineage.getCheckpoint({}, PATIENT);
  const note = told.checkpoint?.note ?? "";
  const to = read(note).size;
  // The first one is only held against itself, and its signature against the key.
  const before = newestIn(folder);
  const older = before?.note ?? note;
  const from = before?.size ?? to;
  const sizes = { fromSize: BigInt(from), toSize: BigInt(to) };
  const { path } = to > from ? await lineage.getConsistencyProof(sizes, PATIENT) : { path: [] };
  const verdict = checkConsistency(older, note, consistencyDocument({ from, to, path }), { key });
  if (!verdict.ok) {
    const file = join(folder, `contradiction-${to}.txt`);
    writeFileSync(file, note);
    const shrunk = to < from ? `the log has ${to} batches, and had ${from} before: ` : "";
    const against = before === undefined ? "" : `; kept before: ${before.file}`;
    throw new Failure(`${shrunk}${verdict.problem}; told now: ${file}${against}`);
  }
  if (before !== undefined && from === to) return undefined;
  const file = join(folder, `${to}.txt`);
  writeFileSync(file, note, { flush: true });
  const continued = before === undefined ? "" : `, which continue the ${from} kept before`;
  return `${pc.green("kept")} ${file}: ${to} batches${continued}`;
}

function read(note: string) {
  try {
    return parseCheckpoint(note);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new Failure(`the ledger answered with no checkpoint: ${messageOf(error)}`);
  }
}

function newestIn(folder: string) {
  const sizes = readdirSync(folder).flatMap((name) => {
    const size = /^([0-9]{1,15})\.txt$/.exec(name)?.[1];
    return size === undefined ? [] : [Number(size)];
  });
  if (sizes.length === 0) return undefined;
  const file = join(folder, `${Math.max(...sizes)}.txt`);
  return { file, note: readText(file), size: readCheckpoint(file).size };
}

function secondsOf(every: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(every)) throw new Failure("--every takes a number of seconds");
  return Number(every);
}
