import type { OutboxMessage } from "./outbox.ts";
import type { Tx } from "./transaction.ts";

/** The oldest messages of one key, which one relay may deliver, in order, while its claim lasts. */
export interface Run {
  readonly token: string;
  readonly key: string;
  /** How far the lane had grown when it was claimed. */
  readonly tail: string;
  /** None when all were delivered under an earlier claim. */
  readonly messages: readonly ClaimedMessage[];
}

/** A message with what the relay has to know to settle it. */
export interface ClaimedMessage extends OutboxMessage {
  readonly position: string;
  /** Failed deliveries so far. */
  readonly attempts: number;
}

/**
 * Every statement of the relay commits without waiting for the disk: losing one to a crash means
 * that a message is delivered again, which its receiver must bear anyhow.
 */
const RELAXED = `relaxed as materialized (
  select set_config('synchronous_commit', 'off', true) as mode
)`;

/**
 * What the statistics say of these tables is mostly from when they were empty, and then reading all
 * messages of a key and sorting them looks cheap. There is an index for everything that is asked.
 */
const BY_INDEX = `
  set local synchronous_commit = off;
  set local enable_seqscan = off;
  set local enable_bitmapscan = off;
  set local enable_sort = off`;

/**
 * Gives the first keys that got messages a lane, or tells the lane that they have that it has grown: `limit` of them,
 * and what else came in the same transaction as the last. Resolves with how many arrivals were noticed: when that is
 * `limit` or more, others may be left.
 */
export async function admitArrivals(
  tx: Tx,
  { limit, now }: { readonly limit: number; readonly now: Date | undefined },
): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `with ${RELAXED}, arrival as (
       delete from outbox_arrivals
       where position = any (array(
         select position
         from (
           select position, sum(count) over (order by position) - count as before
           from (
             select position, coalesce(cardinality(keys), 1) as count
             from outbox_arrivals
             order by position
             limit $1
             for update skip locked
           ) as oldest
         ) as counted
         where before < $1
       ))
       returning coalesce(keys, array[key]) as keys
     ), lane as (
       insert into outbox_lanes (key, due_at)
       select distinct key, coalesce($2::timestamptz, now())
       from arrival, unnest(keys) as key, relaxed
       where relaxed.mode is not null
       order by key
       on conflict on constraint outbox_lanes_pkey do update set tail = outbox_lanes.tail + 1
     )
     select coalesce(sum(cardinality(keys)), 0)::int as count from arrival`,
    [limit, now ?? null],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Claims up to `keys` lanes that are due, for `leaseMs`, with up to `length` messages of each.
 *
 * A lane that waits for a moment more than `farMs` away is due as well: no relay makes one wait so
 * long, so the clock was set back. `tx` must be a transaction of its own.
 */
export async function claimRuns(
  tx: Tx,
  claim: {
    readonly token: string;
    readonly keys: number;
    readonly length: number;
    readonly now: Date | undefined;
    readonly leaseMs: number;
    readonly farMs: number;
  },
): Promise<readonly Run[]> {
  await tx.query(BY_INDEX);
  const { rows } = await tx.query<ClaimedMessage & { lane: string; tail: string }>(
    `with clock as materialized (
       select coalesce($2::timestamptz, now()) as now
     ), due as (
       select key
       from outbox_lanes
       where due_at <= (select now from clock)
       order by due_at
       limit $3
       for update skip locked
     ), far as (
       select key
       from outbox_lanes
       where due_at > (select now from clock) + $6 * interval '1 ms' and due_at < 'infinity'
       order by due_at
       limit $3
       for update skip locked
     ), lane as (
       update outbox_lanes
       set claim = $1, due_at = clock.now + $5 * interval '1 ms'
       from clock
       where outbox_lanes.key = any (
         array(select key from due union all select key from far limit $3)
       )
       returning outbox_lanes.key, outbox_lanes.tail
     )
     select lane.key as lane, lane.tail, message.*
     from lane
     left join lateral (
       select position, id, kind, key, payload, attempts
       from outbox
       where outbox.key = lane.key
       order by position
       limit $4
     ) message on true`,
    [claim.token, claim.now ?? null, claim.keys, claim.length, claim.leaseMs, claim.farMs],
  );
  const { token } = claim;
  return [...Map.groupBy(rows, (row) => row.lane)].map(([key, ofLane]) => {
    const messages = ofLane
      .filter((row) => row.position !== null)
      .toSorted((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
    return { token, key, tail: ofLane[0]?.tail ?? "0", messages };
  });
}

/** Deletes delivered messages, whoever holds their lane by now. */
export async function deleteDelivered(
  tx: Tx,
  messages: readonly Pick<ClaimedMessage, "key" | "position">[],
): Promise<void> {
  await tx.query(
    `with ${RELAXED}
     delete from outbox
     using unnest($1::text[], $2::bigint[]) as told (key, position), relaxed
     where outbox.key = told.key and outbox.position = told.position
       and relaxed.mode is not null`,
    [messages.map(({ key }) => key), messages.map(({ position }) => position)],
  );
}

/**
 * Ends claims: removes the lanes that have no message left, and gives the others back at once. A
 * lane that another relay has taken over is left to it.
 */
export async function endRuns(tx: Tx, runs: readonly Run[], now: Date | undefined): Promise<void> {
  await tx.query(
    `with ${RELAXED}, lane as (
       select outbox_lanes.key,
         -- A message that this statement does not see yet has arrived, or will, after the claim.
         outbox_lanes.tail = run.tail
           and not exists (select from outbox where outbox.key = outbox_lanes.key) as is_empty
       from unnest($1::text[], $2::uuid[], $3::bigint[]) as run (key, claim, tail)
       join outbox_lanes on outbox_lanes.key = run.key and outbox_lanes.claim = run.claim
       order by outbox_lanes.key
       for update of outbox_lanes
     ), removed as (
       delete from outbox_lanes
       using lane
       where outbox_lanes.key = lane.key and lane.is_empty
     )
     update outbox_lanes
     set claim = null, due_at = coalesce($4::timestamptz, now())
     from lane, relaxed
     where outbox_lanes.key = lane.key and not lane.is_empty and relaxed.mode is not null`,
    [
      runs.map(({ key }) => key),
      runs.map(({ token }) => token),
      runs.map(({ tail }) => tail),
      now ?? null,
    ],
  );
}

/**
 * Writes a failed delivery down and ends the claim: the lane is due again after `pauseMs`, or parked
 * when that is absent. Does nothing when another relay has taken the lane over.
 */
export async function recordFailure(
  tx: Tx,
  run: Run,
  failure: {
    readonly position: string;
    readonly error: string;
    readonly now: Date | undefined;
    readonly pauseMs: number | undefined;
  },
): Promise<void> {
  await tx.query(
    `with ${RELAXED}, clock as materialized (
       select coalesce($5::timestamptz, now()) as now
     ), lane as (
       update outbox_lanes
       set claim = null,
         due_at = coalesce(clock.now + $4::float8 * interval '1 ms', 'infinity'::timestamptz)
       from clock, relaxed
       where outbox_lanes.key = $1 and outbox_lanes.claim = $2 and relaxed.mode is not null
       returning outbox_lanes.key
     )
     update outbox
     set attempts = attempts + 1,
       error = $6,
       parked_at = case when $4::float8 is null then clock.now end
     from lane, clock
     where outbox.key = lane.key and outbox.position = $3`,
    [
      run.key,
      run.token,
      failure.position,
      failure.pauseMs ?? null,
      failure.now ?? null,
      failure.error,
    ],
  );
}
