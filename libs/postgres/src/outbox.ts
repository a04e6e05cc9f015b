import { textArray } from "./array.ts";
import type { Tx } from "./transaction.ts";

/** Something to tell another service, at least once. */
export interface OutboxMessage {
  /** Unique, and derived from what happened, so that enqueueing twice tells it once. */
  readonly id: string;
  readonly kind: string;
  /** Messages of one key are delivered in the order in which they were enqueued. */
  readonly key: string;
  /** Anything JSON can hold; write a bigint as a string. */
  readonly payload: unknown;
}

/**
 * A message that was refused for good; it and its successors of the same key wait for an operator.
 */
export interface ParkedMessage extends OutboxMessage {
  readonly attempts: number;
  readonly error: string;
  readonly parkedAt: Date;
}

/**
 * Writes `messages` in the caller's transaction; one whose id still waits here is left as it is.
 *
 * Transactions that enqueue for the same key must follow each other (say, by locking the row that
 * the key names): positions are drawn before commit, so two that overlap have no order.
 */
export async function enqueue(
  tx: Tx,
  messages: readonly OutboxMessage[],
  now: Date,
): Promise<void> {
  if (messages.length === 0) return;
  await tx.query({
    name: "outbox-enqueue",
    text: `with added as (
        ${INSERT}
        on conflict on constraint outbox_id_key do nothing
        returning key
      )
      insert into outbox_arrivals (keys)
      select array_agg(distinct key) from added having count(*) > 0`,
    values: valuesOf(messages, now),
  });
}

/**
 * The same for messages whose ids were drawn for them, so that none can wait already; to look for them would be a third
 * of what writing them costs. Violates `outbox_id_key` when one does.
 */
export async function enqueueNew(
  tx: Tx,
  messages: readonly OutboxMessage[],
  now: Date,
): Promise<void> {
  if (messages.length === 0) return;
  const keys = new Set(messages.map(({ key }) => key));
  await tx.query({
    name: "outbox-enqueue-new",
    text: `with arrival as (insert into outbox_arrivals (keys) values ($6::text[])) ${INSERT}`,
    values: [...valuesOf(messages, now), textArray([...keys])],
  });
}

/** Of what `valuesOf` gives. */
const INSERT = `insert into outbox (id, kind, key, payload, created_at)
  select id, kind, key, payload, $5
  from rows from (
    unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), json_array_elements($4::json)
  ) with ordinality as message (id, kind, key, payload, nth)
  order by nth`;

function valuesOf(messages: readonly OutboxMessage[], now: Date): unknown[] {
  return [
    textArray(messages.map((message) => message.id)),
    textArray(messages.map((message) => message.kind)),
    textArray(messages.map((message) => message.key)),
    // A list in JSON, not one of texts in JSON: to write those one by one takes half as long again.
    JSON.stringify(messages.map((message) => message.payload ?? null)),
    now,
  ];
}

/** The parked messages, oldest first, at most `limit` (100 when absent). */
export async function listParked(tx: Tx, limit = 100): Promise<readonly ParkedMessage[]> {
  const { rows } = await tx.query<ParkedMessage>(
    `select id, kind, key, payload, attempts, error, parked_at as "parkedAt"
     from outbox
     where parked_at is not null
     order by position
     limit $1`,
    [limit],
  );
  return rows;
}

/** Has a parked message delivered again at once, as if never tried; false when none has this id. */
export async function unpark(tx: Tx, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `with message as (
       update outbox
       set parked_at = null, attempts = 0
       where id = $1 and parked_at is not null
       returning key
     )
     update outbox_lanes
     set due_at = '-infinity'
     from message
     where outbox_lanes.key = message.key`,
    [id],
  );
  return rowCount === 1;
}

/** Gives a parked message up, which frees its successors; false when none has this id. */
export async function discardParked(tx: Tx, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `with message as (
       delete from outbox
       where id = $1 and parked_at is not null
       returning key
     )
     update outbox_lanes
     set due_at = '-infinity'
     from message
     where outbox_lanes.key = message.key`,
    [id],
  );
  return rowCount === 1;
}
