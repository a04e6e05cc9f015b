import type { OutboxMessage } from "./outbox.ts";
import type { Tx } from "./transaction.ts";

/** The messages of one key that one relay may deliver until `until`, in order. */
export interface Run {
  readonly token: string;
  readonly key: string;
  readonly until: Date;
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

/** Claims the due heads of up to `keys` keys, each with up to `length` messages in all. */
export async function claimRuns(
  tx: Tx,
  claim: {
    readonly token: string;
    readonly keys: number;
    readonly length: number;
    readonly now: Date;
    readonly until: Date;
  },
): Promise<readonly Run[]> {
  const { rows } = await tx.query<ClaimedMessage>({
    name: "outbox-claim",
    text: `with ${RELAXED}, head as (
       select candidate.key, candidate.position
       from outbox candidate
       where candidate.parked_at is null
         and candidate.next_attempt_at <= $2
         and (candidate.claimed_until is null or candidate.claimed_until <= $2)
         and not exists (
           select from outbox earlier
           where earlier.key = candidate.key and earlier.position < candidate.position
         )
       order by candidate.next_attempt_at, candidate.position
       limit $4
       for update skip locked
     ), run as (
       select follower.position
       from head
       cross join lateral (
         select position
         from outbox
         where key = head.key and position >= head.position and parked_at is null
         order by position
         limit $5
       ) follower
     )
     update outbox
     set claim = $1, claimed_until = $3
     from run, relaxed
     where outbox.position = run.position and relaxed.mode is not null
     returning outbox.position, id, kind, key, payload, attempts`,
    values: [claim.token, claim.now, claim.until, claim.keys, claim.length],
  });
  const ordered = rows.toSorted((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
  return [...Map.groupBy(ordered, (row) => row.key)].map(([key, messages]) => {
    return { token: claim.token, key, until: claim.until, messages };
  });
}

/** Deletes delivered messages, whoever holds their claim by now. */
export async function deleteDelivered(tx: Tx, positions: readonly string[]): Promise<void> {
  await tx.query({
    name: "outbox-delete",
    text: `with ${RELAXED}
      delete from outbox using relaxed
      where position = any($1::bigint[]) and relaxed.mode is not null`,
    values: [positions],
  });
}

/**
 * Writes a failed delivery down: tried again from `nextAttemptAt` on, or parked when that is
 * absent.
 */
export async function recordFailure(
  tx: Tx,
  run: Run,
  failure: {
    readonly position: string;
    readonly error: string;
    readonly now: Date;
    readonly nextAttemptAt: Date | undefined;
  },
): Promise<void> {
  await tx.query(
    `with ${RELAXED}
     update outbox
     set attempts = attempts + 1,
       error = $3,
       next_attempt_at = coalesce($4::timestamptz, next_attempt_at),
       parked_at = case when $4::timestamptz is null then $5::timestamptz end
     from relaxed
     where position = $1 and claim = $2 and relaxed.mode is not null`,
    [failure.position, run.token, failure.error, failure.nextAttemptAt ?? null, failure.now],
  );
}

/** Gives back what is left of a run. */
export async function releaseRun(tx: Tx, run: Run): Promise<void> {
  await tx.query(
    `with ${RELAXED}
     update outbox
     set claim = null, claimed_until = null
     from relaxed
     where key = $1 and claim = $2 and relaxed.mode is not null`,
    [run.key, run.token],
  );
}
