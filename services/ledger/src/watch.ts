import { setTimeout as delay } from "node:timers/promises";
import { invalidResumeToken } from "./page.ts";
import type { ChangePage, JournalPlace, StatementStore } from "./statement.ts";
import type { Transaction } from "./transaction.ts";

/** What a watcher is told. */
export type WatchEvent =
  | { readonly kind: "change"; readonly transaction: Transaction; readonly token: string }
  | { readonly kind: "idle"; readonly token: string };

/** How to watch. */
export interface WatchOptions {
  /** "" begins now; a token behind the event that bore it. */
  readonly token: string;
  /** Which transactions are told. */
  readonly wants: (transaction: Transaction) => boolean;
  /** Milliseconds of silence after which `idle` is told. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** Follows the journal for any number of watchers, each at its own pace. */
export interface JournalWatch {
  /**
   * Ends when the signal aborts.
   * @throws Rejection INVALID_RESUME_TOKEN when the token is not of these books
   */
  watch(options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined>;
}

/** Pages that are kept for watchers who come to the same place a little later. */
const PAGES_KEPT = 4;

/**
 * Follows a journal. Batches get their numbers under a lock that is held to the commit, so that
 * none appears behind one that was seen. The end of the journal is asked for every `pollMs`, once
 * for all who wait, and a page that several come to is read once: watchers cost the database the
 * same however many there are. Payments are not asked to notify anybody.
 */
export function watchJournal(
  store: Pick<StatementStore, "journalEnd" | "journalPlace" | "changesAfter">,
  { pollMs }: { readonly pollMs: number },
): JournalWatch {
  const nextEnd = sharing(async () => {
    await delay(pollMs);
    return store.journalEnd();
  });
  const read = keeping((after: JournalPlace, until: JournalPlace) =>
    store.changesAfter(after, until),
  );

  async function* changes(after: JournalPlace, until: JournalPlace, signal: AbortSignal) {
    for (let at = after; at.sequence < until.sequence && !signal.aborted; ) {
      const page = await read(at, until);
      at = page.places.at(-1) ?? until;
      yield { page, at };
    }
  }

  return {
    async *watch({ token, wants, idleMs, signal }) {
      let at = token === "" ? await store.journalEnd() : await placeOf(store, token);
      yield { kind: "idle", token: formatToken(at) };
      let quietSinceMs = performance.now();
      while (!signal.aborted) {
        const end = await unlessAborted(nextEnd(), signal);
        if (end === undefined) return;
        for await (const stretch of changes(at, end, signal)) {
          for (const event of eventsOf(stretch.page, wants)) {
            yield event;
            quietSinceMs = performance.now();
          }
          at = stretch.at;
        }
        if (performance.now() - quietSinceMs < idleMs) continue;
        yield { kind: "idle", token: formatToken(at) };
        quietSinceMs = performance.now();
      }
    },
  };
}

function* eventsOf({ places, changes }: ChangePage, wants: WatchOptions["wants"]) {
  const bySequence = new Map(places.map((place) => [place.sequence, place]));
  for (const [nth, { transaction, batch }] of changes.entries()) {
    if (!wants(transaction)) continue;
    // More of the same batch may follow: who stops here hears the whole batch again.
    const told = changes[nth + 1]?.batch === batch ? batch - 1n : batch;
    const place = bySequence.get(told);
    if (place === undefined) throw new Error(`the journal lacks batch ${told}`);
    yield { kind: "change", transaction, token: formatToken(place) } as const;
  }
}

/** So many hex digits of a batch's hash tell its books from others. */
const DIGITS = 16;

function formatToken({ sequence, hash }: JournalPlace): string {
  return `${sequence}-${hash.toString("hex").slice(0, DIGITS)}`;
}

async function placeOf(
  store: Pick<StatementStore, "journalPlace">,
  token: string,
): Promise<JournalPlace> {
  const sequence = /^(\d{1,18})-[0-9a-f]{16}$/.exec(token)?.[1];
  if (sequence === undefined) throw invalidResumeToken("resume_token is not of this service");
  const place = await store.journalPlace(BigInt(sequence));
  if (place === undefined || formatToken(place) !== token) {
    throw invalidResumeToken("resume_token is of other books");
  }
  return place;
}

/** Lets all who ask while it is under way have the same answer. */
function sharing<T>(ask: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | undefined;
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** Remembers the last few pages, also those that are still being read. */
function keeping(
  read: (after: JournalPlace, until: JournalPlace) => Promise<ChangePage>,
): typeof read {
  const kept = new Map<string, Promise<ChangePage>>();
  return (after, until) => {
    const key = `${after.sequence} ${until.sequence}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const page = read(after, until);
    kept.set(key, page);
    page.catch(() => kept.delete(key));
    for (const oldest of kept.keys()) {
      if (kept.size <= PAGES_KEPT) break;
      kept.delete(oldest);
    }
    return page;
  };
}

/** What comes of it, or undefined when the signal aborts before. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  if (signal.aborted) return undefined;
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
