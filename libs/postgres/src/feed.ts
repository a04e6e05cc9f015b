import { setTimeout as delay } from "node:timers/promises";
import { Rejection } from "@bourse/rpc/rejection";
import type { Pool } from "pg";
import { createDoorbell, type Doorbell } from "./doorbell.ts";
import { createHeldBack, type HeldBack } from "./held-back.ts";
import type { Tx } from "./transaction.ts";

/** Which rows a follower wants next: `from <= changed_in < until`, by (changed_in, id), those behind `after`. */
export interface FeedRange {
  readonly from: bigint;
  readonly until: bigint;
  /** The last row of the page before; absent for the first page. */
  readonly after: { readonly changedIn: bigint; readonly id: string } | undefined;
  readonly limit: number;
}

/** A row as a follower's `read` returns it. */
export interface FeedRow<T> {
  readonly changedIn: bigint;
  readonly id: string;
  readonly value: T;
}

/**
 * What a follower gets. `item` is a row as it is by now; its token is "" before `synced`. `synced` comes once, when
 * every row that was there has been given; `caught-up` ends each later round that gave something; `idle` comes when
 * nothing did for a while. A follower that resumes with a token gets all that changed after the event that bore it,
 * and perhaps some of what it has seen.
 */
export type FeedEvent<T> =
  | { readonly kind: "item"; readonly value: T; readonly token: string }
  | { readonly kind: "synced" | "idle" | "caught-up"; readonly token: string };

/** How to follow; `read` selects a page of rows, see `FeedRange`. */
export interface FollowOptions<T> {
  /** "" gives every row first; a token of an earlier follower only what has changed since. */
  readonly token: string;
  readonly signal: AbortSignal;
  /** Milliseconds of silence after which `idle` is given. */
  readonly idleMs: number;
  readonly read: (pool: Pool, range: FeedRange) => Promise<readonly FeedRow<T>[]>;
  /**
   * Values that changed elsewhere than in the table, asked for at the start of each round, before rows are read, and
   * before `synced` until there are none. Call `wake` when there are some.
   */
  readonly others?: () => Promise<readonly T[]>;
}

/** Follows the changes of a table by any number of readers, each at its own pace, without a counter or a log. */
export interface Feed extends AsyncDisposable {
  /**
   * Ends when the signal aborts or the feed is disposed; throws what `read` throws.
   * @throws Rejection INVALID_RESUME_TOKEN when the token is not of this database or ahead of it
   */
  follow<T>(options: FollowOptions<T>): AsyncGenerator<FeedEvent<T>, void, undefined>;
  /** Wakes the followers of all processes: call it after a commit that changed rows. Costs the caller nothing. */
  touch(): void;
  /** Wakes the followers of this process only. */
  wake(): void;
}

/** Rows per page. */
const PAGE = 500;
/** How many rows beyond the token a follower may get early. */
const EARLY_MAX = 1_000;
/** Least time between two rounds of a follower: what changes within it arrives as one round. */
const ROUND_MS_MIN = 10;
const XID_MAX = 2n ** 64n - 1n;

/**
 * Opens the feed of a table whose rows bear `changed_in xid8`, set to `pg_current_xact_id()` by every change that
 * followers should see, with an index on (changed_in, id). Rows must not be deleted: leave a tombstone.
 *
 * Numbers drawn from a sequence commit out of order, so a reader that remembers the highest one misses those that
 * commit later. Here a token is the xmin of a snapshot: every transaction below it is over, so nothing can appear
 * behind a reader, whatever overlaps. Rows above it are given as well, early, and remembered so as not to repeat them,
 * up to 1,000: beyond these, followers wait for the oldest transaction of the whole server that has written something.
 * So none should stay open for long; `createPool` ends those that are idle for a minute.
 *
 * Followers wake by `touch`, by a notification on `channel`, and every `pollMs` (1,000).
 */
export function createFeed(options: {
  readonly pool: Pool;
  /** A plain SQL identifier. */
  readonly channel: string;
  readonly pollMs?: number;
  /** For how long one transaction may hold followers back before `onFault` is told which it is; 30,000. */
  readonly heldBackMs?: number;
  /**
   * Told when the listening connection is lost (polling goes on and the connection is opened again), and of
   * transactions that hold followers back.
   */
  readonly onFault?: (error: unknown) => void;
}): Feed {
  const { pool, pollMs = 1_000, heldBackMs = 30_000, onFault = () => {} } = options;
  const doorbell = createDoorbell(options);
  const heldBack = createHeldBack({ pool, limitMs: heldBackMs, onFault });
  return {
    follow: (follower) => follow({ pool, doorbell, heldBack, pollMs }, follower),
    touch: doorbell.ring,
    wake: doorbell.wake,
    [Symbol.asyncDispose]: () => doorbell[Symbol.asyncDispose](),
  };
}

/**
 * Wakes the followers of all processes when `tx` commits. Prefer `feed.touch()` after the commit: Postgres lets
 * only one transaction at a time commit with a notification, which undoes group commit.
 */
export async function touchFeed(tx: Tx, channel: string): Promise<void> {
  await tx.query("select pg_notify($1, '')", [channel]);
}

async function* follow<T>(
  source: {
    readonly pool: Pool;
    readonly doorbell: Doorbell;
    readonly heldBack: HeldBack;
    readonly pollMs: number;
  },
  { token, signal, idleMs, read, others = async () => [] }: FollowOptions<T>,
): AsyncGenerator<FeedEvent<T>, void, undefined> {
  const { pool, doorbell, heldBack, pollMs } = source;
  const ended = AbortSignal.any([signal, doorbell.closed]);
  const early = new Map<string, bigint>();
  let head = await readHead(pool);
  const { database } = head;
  let from = token === "" ? 0n : parseToken(token, head);
  let synced = false;
  let quietSinceMs = performance.now();
  let given = token;

  // A round ends with a page that is not full, so that it has a row which never rests, too.
  // Before `synced` what changes meanwhile is chased without a bound, later until too much has
  // been given early.
  while (!ended.aborted) {
    const startMs = performance.now();
    const turn = doorbell.turn();
    let count = 0;
    for (let more = true; more && !ended.aborted; ) {
      const values = await others();
      for (const value of values) yield { kind: "item", value, token: synced ? given : "" };
      count += values.length;
      more = !synced && values.length > 0;
    }
    // Not before the others, which may take their time.
    if (synced) head = await readHead(pool);
    if (head.database !== database) throw invalidToken("the database has changed");
    heldBack.see(head);
    const next = formatToken(head);
    const until = early.size < EARLY_MAX ? XID_MAX : head.xmin;
    for await (const row of pages(pool, { from, until, read, ended })) {
      if (early.get(row.id) === row.changedIn) continue;
      if (synced && early.size >= EARLY_MAX && row.changedIn >= head.xmax) break;
      if (row.changedIn >= head.xmin && early.size < EARLY_MAX) early.set(row.id, row.changedIn);
      count++;
      yield { kind: "item", value: row.value, token: synced ? (row.last ? next : given) : "" };
      if (ended.aborted) return;
    }
    for (const [id, changedIn] of early) if (changedIn < head.xmin) early.delete(id);
    from = head.xmin;
    given = next;
    const idle = count === 0 && performance.now() - quietSinceMs >= idleMs;
    if (!synced || count > 0 || idle) {
      yield { kind: !synced ? "synced" : count > 0 ? "caught-up" : "idle", token: next };
      quietSinceMs = performance.now();
    }
    synced = true;
    const restMs = ROUND_MS_MIN - (performance.now() - startMs);
    if (restMs > 0) await delay(restMs, undefined, { signal: ended }).catch(() => {});
    const idleInMs = idleMs - (performance.now() - quietSinceMs);
    await doorbell.rung(turn, Math.max(1, Math.min(pollMs, idleInMs)), ended);
  }
}

async function* pages<T>(
  pool: Pool,
  options: Pick<FeedRange, "from" | "until"> &
    Pick<FollowOptions<T>, "read"> & { readonly ended: AbortSignal },
): AsyncGenerator<FeedRow<T> & { readonly last: boolean }, void, undefined> {
  const { from, until, read, ended } = options;
  for (let after: FeedRange["after"]; !ended.aborted; ) {
    const rows = await read(pool, { from, until, after, limit: PAGE });
    const isLast = rows.length < PAGE;
    for (const [index, row] of rows.entries()) {
      yield { ...row, last: isLast && index === rows.length - 1 };
    }
    const end = rows.at(-1);
    if (isLast || end === undefined) return;
    after = { changedIn: end.changedIn, id: end.id };
  }
}

/** Where a database stands: transactions below `xmin` are over, those from `xmax` on have not begun. */
interface Head {
  /**
   * Names the cluster, its timeline (which changes with a fail-over or a restore), the database, and the last crash. A
   * crash forgets the ids of transactions that were over but not yet on the disk, and they are given out again: a token
   * beyond them would miss what they change.
   */
  readonly database: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
}

async function readHead(pool: Pool): Promise<Head> {
  const { rows } = await pool.query<{ database: string; xmin: string; xmax: string }>({
    name: "feed-head",
    text: `select
        to_hex(control.system_identifier) || '-' ||
        ltrim(left(pg_walfile_name(pg_current_wal_lsn()), 8), '0') || '-' ||
        (select oid from pg_database where datname = current_database()) || '-' ||
        -- Statistics outlive a clean stop, and begin anew when the server recovers from a crash.
        to_hex((extract(epoch from archiver.stats_reset) * 1000000)::bigint) as database,
        pg_snapshot_xmin(snapshot) as xmin,
        pg_snapshot_xmax(snapshot) as xmax
      from pg_control_system() control, pg_current_snapshot() snapshot, pg_stat_archiver archiver`,
  });
  const [row] = rows;
  if (row === undefined) throw new Error("the database does not say where it stands");
  return { database: row.database, xmin: BigInt(row.xmin), xmax: BigInt(row.xmax) };
}

function formatToken(head: Head): string {
  return `${head.database}.${head.xmin}`;
}

function parseToken(token: string, head: Head): bigint {
  const match = /^([0-9a-zA-Z-]+)\.(\d{1,20})$/.exec(token);
  if (match === null) throw invalidToken("resume_token is not a token of this service");
  if (match[1] !== head.database) throw invalidToken("resume_token is of another database");
  const from = BigInt(match[2] ?? "");
  if (from > head.xmax) throw invalidToken("resume_token is ahead of the database");
  return from;
}

function invalidToken(why: string): Rejection {
  return new Rejection("INVALID_RESUME_TOKEN", `${why}: watch anew without one`, {
    faults: [
      {
        field: "resume_token",
        reason: "INVALID_RESUME_TOKEN",
        description: "must be a resume_token that this database gave out",
      },
    ],
  });
}
