import type { Feed, FeedEvent, FeedRange } from "../../src/feed.ts";
import type { Pool } from "../../src/index.ts";

/** A row of the table that the tests of the feed follow. */
export interface Thing {
  readonly id: string;
  readonly value: number;
}

/** Writes a thing, as changed by this transaction. */
export const PUT = `insert into things (id, value) values ($1, $2)
  on conflict (id) do update set value = excluded.value, changed_in = pg_current_xact_id()`;

/** Makes the table. */
export async function createThings(pool: Pool): Promise<void> {
  await pool.query(
    `create table things (
       id text primary key,
       value integer not null,
       changed_in xid8 not null default pg_current_xact_id()
     )`,
  );
  await pool.query("create index on things (changed_in, id)");
}

/** Reads a page, as a follower's `read` does. */
export async function readThings(from: Pool, range: FeedRange) {
  const { rows } = await from.query<Thing & { changed_in: string }>(
    `select id, value, changed_in
     from things
     where (changed_in, id) > ($1::xid8, $2) and changed_in < $3::xid8
     order by changed_in, id
     limit $4`,
    [range.after.changedIn, range.after.id, range.until, range.limit],
  );
  return rows.map(({ id, value, changed_in }) => {
    return { id, changedIn: BigInt(changed_in), value: { id, value } };
  });
}

/** The last value that the events give of each thing. */
export function lastOf(events: readonly FeedEvent<Thing>[]): Record<string, number> {
  const items = events.flatMap((event) => (event.kind === "item" ? [event.value] : []));
  return Object.fromEntries(items.map((thing) => [thing.id, thing.value]));
}

/** Follows in the background and keeps what came. */
export function followed(
  feed: Feed,
  token = "",
  idleMs = 60_000,
  others = async (): Promise<readonly Thing[]> => [],
) {
  const stopping = new AbortController();
  const events: FeedEvent<Thing>[] = [];
  const over = (async () => {
    const { signal } = stopping;
    for await (const event of feed.follow({ token, signal, idleMs, read: readThings, others })) {
      events.push(event);
    }
  })();
  return {
    events,
    over,
    kinds: () => events.map((event) => event.kind),
    last: () => lastOf(events),
    values: () => events.flatMap((event) => (event.kind === "item" ? [event.value.value] : [])),
    token: () => events.at(-1)?.token ?? "",
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await over;
    },
  };
}
