import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import { createDoorbell, type Doorbell } from "./doorbell.ts";
import { formatToken, type Head, invalidToken, parseToken, readHead } from "./feed-head.ts";
import { createHeldBack, type HeldBack } from "./held-back.ts";
import type { Tx } from "./transaction.ts";

/**
 * Which rows a follower wants next: those with `(changed_in, id)` behind `after` and `changed_in < until`, so ordered.
 * Name no other lower bound: given two, Postgres begins at the lesser and reads all of the index each time.
 */
export interface FeedRange {
  /** Where the follower stands; 0 when it has nothing yet. */
  readonly from: bigint;
  readonly until: bigint;
  /** The last row of the page before; for the first page what is before any row of `from`. */
  readonly after: { readonly changedIn: bigint; readonly id: string };
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

/** The same, of as many rows as were read at once; `lastToken` is that of the last of them. */
export type FeedPage<T> =
  | {
      readonly kind: "page";
      readonly values: readonly T[];
      readonly token: string;
      readonly lastToken: string;
    }
  | { readonly kind: "synced" | "idle" | "caught-up"; readonly token: string };

/** How to follow; `read` selects a page of rows, see `FeedRange`. */
export interface FollowOptions<T> {
  /** "" gives every row first; a token of an earlier follower only what has changed since. */
  readonly token: string;
  readonly signal: AbortSignal;
  /** Milliseconds of silence after which `idle` is given. */
  readonly idleMs: number;
  /** Whether `idle` is to be given without waiting for that: call `wake` when it is. */
  readonly isDue?: () => boolean;
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
  /** The same, many rows at a time: for a follower that hands a million of them on. No page is empty. */
  followPages<T>(options: FollowOptions<T>): AsyncGenerator<FeedPage<T>, void, undefined>;
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
const ROUND_MS_MIN = 20;
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
  const source = { pool, doorbell, heldBack, pollMs };
  return {
    follow: (follower) => one(follow(source, follower)),
    followPages: (follower) => follow(source, follower),
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

async function* one<T>(
  pages: AsyncGenerator<FeedPage<T>, void, undefined>,
): AsyncGenerator<FeedEvent<T>, void, undefined> {
  for await (const page of pages) {
    if (page.kind !== "page") {
      yield page;
      continue;
    }
    const last = page.values.length - 1;
    for (const [nth, value] of page.values.entries()) {
      yield { kind: "item", value, token: nth === last ? page.lastToken : page.token };
    }
  }
}

async function* follow<T>(
  source: {
    readonly pool: Pool;
    readonly doorbell: Doorbell;
    readonly heldBack: HeldBack;
    readonly pollMs: number;
  },
  { token, signal, read, ...options }: FollowOptions<T>,
): AsyncGenerator<FeedPage<T>, void, undefined> {
  const { pool, doorbell, heldBack, pollMs } = source;
  const { idleMs, others = async () => [], isDue = () => false } = options;
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
      const before = synced ? given : "";
      if (values.length > 0) yield { kind: "page", values, token: before, lastToken: before };
      count += values.length;
      more = !synced && values.length > 0;
    }
    // Not before the others, which may take their time.
    if (synced) head = await readHead(pool);
    if (head.database !== database) throw invalidToken("the database has changed");
    heldBack.see(head);
    const next = formatToken(head);
    const until = early.size < EARLY_MAX ? XID_MAX : head.xmin;
    for await (const { rows, isLast } of pages(pool, { from, until, read, ended })) {
      const { values, isCut } = take(rows, early, { head, synced });
      count += values.length;
      const token = synced ? given : "";
      const lastToken = synced && isLast && !isCut ? next : token;
      if (values.length > 0) yield { kind: "page", values, token, lastToken };
      if (ended.aborted) return;
      if (isCut) break;
    }
    // Nothing was read then, so that nothing is told either.
    if (ended.aborted) return;
    for (const [id, changedIn] of early) if (changedIn < head.xmin) early.delete(id);
    from = head.xmin;
    given = next;
    const idle = count === 0 && (performance.now() - quietSinceMs >= idleMs || isDue());
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

/** The values that were not given early; cut where too much would be given early. */
function take<T>(
  rows: readonly FeedRow<T>[],
  early: Map<string, bigint>,
  { head, synced }: { readonly head: Head; readonly synced: boolean },
): { readonly values: readonly T[]; readonly isCut: boolean } {
  const values: T[] = [];
  for (const { id, changedIn, value } of rows) {
    if (early.get(id) === changedIn) continue;
    if (synced && early.size >= EARLY_MAX && changedIn >= head.xmax) return { values, isCut: true };
    if (changedIn >= head.xmin && early.size < EARLY_MAX) early.set(id, changedIn);
    values.push(value);
  }
  return { values, isCut: false };
}

async function* pages<T>(
  pool: Pool,
  options: Pick<FeedRange, "from" | "until"> &
    Pick<FollowOptions<T>, "read"> & { readonly ended: AbortSignal },
): AsyncGenerator<{ rows: readonly FeedRow<T>[]; isLast: boolean }, void, undefined> {
  const { from, until, read, ended } = options;
  const readAfter = (after: FeedRange["after"]) => {
    const reading = read(pool, { from, until, after, limit: PAGE });
    // Of a follower that has left, nobody waits for it.
    reading.catch(() => {});
    return reading;
  };
  let next = readAfter({ changedIn: from, id: "" });
  while (!ended.aborted) {
    const rows = await next;
    const end = rows.at(-1);
    const isLast = rows.length < PAGE || end === undefined;
    // Read while the follower takes the one before.
    if (!isLast) next = readAfter(end);
    yield { rows, isLast };
    if (isLast) return;
  }
}
