import type { Tx } from "@bourse/postgres";
import { canonicalJson, type JsonObject } from "@bourse/proof";
import { eventHash, type Head } from "../journal.ts";
import { isSameEvent, type LineageEvent, type NewEvent } from "../lineage.ts";
import { refuse } from "../refusal.ts";
import type { EventFilter } from "../store.ts";
import { type Columns, insertRows } from "./rows.ts";

/** An event as it is stored. */
export interface EventRow {
  readonly sequence: string;
  readonly batch: string;
  readonly nth: number;
  readonly event_id: string;
  readonly type: string;
  readonly event_time: Date;
  readonly record_time: Date;
  readonly source: string;
  readonly subjects: Readonly<Record<string, string>>;
  readonly task_id: string;
  readonly payload: JsonObject | null;
  readonly hash: Uint8Array;
}

/** The columns of an event. */
export const EVENT_COLUMNS = `sequence, batch, nth, event_id, type, event_time, record_time, source,
  subjects, task_id, payload, hash`;

/** An event as it was stored. */
export function toEvent(row: EventRow): LineageEvent {
  return {
    sequence: BigInt(row.sequence),
    batch: BigInt(row.batch),
    nth: row.nth,
    eventId: row.event_id,
    type: row.type,
    eventTime: row.event_time,
    recordTime: row.record_time,
    source: row.source,
    subjects: row.subjects,
    taskId: row.task_id,
    payload: row.payload ?? undefined,
    hash: Buffer.from(row.hash),
  };
}

const COLUMNS: Columns<LineageEvent> = {
  sequence: { type: "bigint", of: (event) => event.sequence },
  batch: { type: "bigint", of: (event) => event.batch },
  nth: { type: "integer", of: (event) => event.nth },
  event_id: { type: "text", of: (event) => event.eventId },
  type: { type: "text", of: (event) => event.type },
  event_time: { type: "timestamptz", of: (event) => event.eventTime },
  record_time: { type: "timestamptz", of: (event) => event.recordTime },
  source: { type: "text", of: (event) => event.source },
  subjects: { type: "jsonb", of: (event) => canonicalJson(event.subjects) },
  task_id: { type: "text", of: (event) => event.taskId },
  payload: { type: "json", of: (event) => event.payload && canonicalJson(event.payload) },
  hash: { type: "bytea", of: (event) => event.hash },
};

/**
 * What appending needs from outside: the time, and pseudonyms, which are random and never drawn
 * twice.
 */
export interface AppendStamp {
  readonly now: Date;
  readonly newPseudonym: () => string;
}

/**
 * Gives events their place behind the head, with `before` entries of their batch in front of them,
 * and their subjects pseudonyms; those on the record already are left out. The head is locked.
 * @throws Rejection EVENT_ID_REUSED when one is there with other content
 */
export async function placeEvents(
  tx: Tx,
  {
    head,
    before,
    source,
  }: { readonly head: Head; readonly before: number; readonly source: string },
  events: readonly NewEvent[],
  stamp: AppendStamp,
): Promise<readonly LineageEvent[]> {
  const recorded = await findEvents(tx, events);
  const names = await openPseudonyms(tx, events, [...recorded.values()], stamp);
  const added: LineageEvent[] = [];
  for (const event of events) {
    const first = recorded.get(event.eventId);
    if (first !== undefined) {
      if (isSameEvent(first, { ...event, source }, names.subjectOf)) continue;
      const message = `event ${event.eventId} is on the record with other content`;
      throw refuse("EVENT_ID_REUSED", message, { metadata: { eventId: event.eventId } });
    }
    const hidden = Object.fromEntries(
      Object.entries(event.subjects).map(([role, subject]) => [role, names.pseudonymOf(subject)]),
    );
    const told = {
      ...event,
      subjects: hidden,
      source,
      recordTime: stamp.now,
      sequence: head.events + BigInt(added.length) + 1n,
    };
    const placed = { ...told, batch: head.sequence + 1n, nth: before + added.length };
    const entry = { ...placed, hash: eventHash(told) };
    added.push(entry);
    recorded.set(entry.eventId, entry);
  }
  await insertPseudonyms(tx, names.drawn, stamp.now);
  return added;
}

/** Writes events that have their place. */
export async function insertEvents(tx: Tx, events: readonly LineageEvent[]): Promise<void> {
  await insertRows(tx, "lineage_events", COLUMNS, events);
}

async function openPseudonyms(
  tx: Tx,
  events: readonly NewEvent[],
  recorded: readonly LineageEvent[],
  stamp: AppendStamp,
) {
  const pseudonyms = await findPseudonyms(tx, events, recorded);
  const subjects = new Map([...pseudonyms].map(([subject, pseudonym]) => [pseudonym, subject]));
  const drawn: [subject: string, pseudonym: string][] = [];
  return {
    drawn,
    subjectOf: (pseudonym: string) => subjects.get(pseudonym),
    pseudonymOf(subject: string): string {
      const known = pseudonyms.get(subject);
      if (known !== undefined) return known;
      const pseudonym = stamp.newPseudonym();
      pseudonyms.set(subject, pseudonym);
      subjects.set(pseudonym, subject);
      drawn.push([subject, pseudonym]);
      return pseudonym;
    },
  };
}

async function findEvents(tx: Tx, events: readonly NewEvent[]): Promise<Map<string, LineageEvent>> {
  const { rows } = await tx.query<EventRow>(
    `select ${EVENT_COLUMNS} from lineage_events where event_id = any($1)`,
    [events.map((event) => event.eventId)],
  );
  return new Map(rows.map((row) => [row.event_id, toEvent(row)]));
}

/** The pseudonyms, by subject, of those in `told`, and of those who stand behind `recorded`. */
async function findPseudonyms(
  tx: Tx,
  told: readonly NewEvent[],
  recorded: readonly LineageEvent[],
): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ subject: string; pseudonym: string }>(
    `select subject, pseudonym from pseudonyms
     where subject = any($1) or pseudonym = any($2)`,
    [told, recorded].map((events) => [
      ...new Set(events.flatMap(({ subjects }) => Object.values(subjects))),
    ]),
  );
  return new Map(rows.map((row) => [row.subject, row.pseudonym]));
}

async function insertPseudonyms(
  tx: Tx,
  drawn: readonly (readonly [subject: string, pseudonym: string])[],
  now: Date,
): Promise<void> {
  if (drawn.length === 0) return;
  await tx.query(
    `insert into pseudonyms (subject, pseudonym, created_at)
     select subject, pseudonym, $3 from unnest($1::text[], $2::text[]) as new (subject, pseudonym)`,
    [drawn.map(([subject]) => subject), drawn.map(([, pseudonym]) => pseudonym), now],
  );
}

/**
 * Where a list by time has to begin: before the first event of that time, or undefined when there
 * is none. Without it the list of the last days would walk the whole chain up to them.
 */
async function beginningOf(tx: Tx, { from, until }: EventFilter): Promise<bigint | undefined> {
  // The sum keeps the planner from looking for the minimum by that same walk.
  const { rows } = await tx.query<{ first: string | null }>(
    `select min(sequence + 0) as first from lineage_events
     where event_time >= $1 and ($2::timestamptz is null or event_time < $2)`,
    [from, until ?? null],
  );
  const first = rows[0]?.first ?? null;
  return first === null ? undefined : BigInt(first) - 1n;
}

/** A page of events in the order of the chain. */
export async function queryEvents(
  tx: Tx,
  filter: EventFilter,
  after: bigint,
  limit: number,
): Promise<readonly LineageEvent[]> {
  const isNarrow = filter.subject !== undefined || filter.taskId !== undefined;
  const start = after === 0n && !isNarrow ? await beginningOf(tx, filter) : after;
  if (start === undefined) return [];
  // An agent's own events are few: read first and ordered then, not met on a walk along the chain.
  const materialized = filter.subject === undefined ? "not materialized" : "materialized";
  const { rows } = await tx.query<EventRow>(
    `with wanted as ${materialized} (
       select ${EVENT_COLUMNS}
       from lineage_events
       where sequence > $1
         and event_time >= $2
         and ($3::timestamptz is null or event_time < $3)
         and (cardinality($4::text[]) = 0 or type = any($4))
         and ($5::text is null or task_id = $5)
         and ($6::text is null or source = $6)
         and ($7::text is null or jsonb_path_query_array(subjects, '$.*') ?
           (select pseudonym from pseudonyms where subject = $7))
     )
     select * from wanted order by sequence limit $8`,
    [
      start,
      filter.from,
      filter.until ?? null,
      filter.types,
      filter.taskId ?? null,
      filter.source ?? null,
      filter.subject ?? null,
      limit,
    ],
  );
  return rows.map(toEvent);
}
