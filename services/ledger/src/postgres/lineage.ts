import type { Tx } from "@bourse/postgres";
import { canonicalJson, type JsonObject } from "../canonical.ts";
import {
  chain,
  faultOf,
  GENESIS,
  type Head,
  isSameEvent,
  type LineageEvent,
  type NewEvent,
} from "../lineage.ts";
import { refuse } from "../refusal.ts";
import type { ChainReport, EventFilter } from "../store.ts";
import { type Columns, insertRows } from "./rows.ts";

interface EventRow {
  readonly sequence: string;
  readonly event_id: string;
  readonly type: string;
  readonly event_time: Date;
  readonly record_time: Date;
  readonly source: string;
  readonly subjects: Readonly<Record<string, string>>;
  readonly task_id: string;
  readonly payload: JsonObject | null;
  readonly previous_hash: Uint8Array;
  readonly hash: Uint8Array;
}

const SELECTED = `sequence, event_id, type, event_time, record_time, source, subjects, task_id,
  payload, previous_hash, hash`;

function toEvent(row: EventRow): LineageEvent {
  return {
    sequence: BigInt(row.sequence),
    eventId: row.event_id,
    type: row.type,
    eventTime: row.event_time,
    recordTime: row.record_time,
    source: row.source,
    subjects: row.subjects,
    taskId: row.task_id,
    payload: row.payload ?? undefined,
    previousHash: Buffer.from(row.previous_hash).toString("hex"),
    hash: Buffer.from(row.hash).toString("hex"),
  };
}

const COLUMNS: Columns<LineageEvent> = {
  sequence: { type: "bigint", of: (event) => event.sequence },
  event_id: { type: "text", of: (event) => event.eventId },
  type: { type: "text", of: (event) => event.type },
  // In UTC: the driver would write the zone of the process, whose offset of long ago has seconds.
  event_time: { type: "timestamptz", of: (event) => event.eventTime.toISOString() },
  record_time: { type: "timestamptz", of: (event) => event.recordTime.toISOString() },
  source: { type: "text", of: (event) => event.source },
  subjects: { type: "jsonb", of: (event) => canonicalJson(event.subjects) },
  task_id: { type: "text", of: (event) => event.taskId },
  payload: { type: "json", of: (event) => event.payload && canonicalJson(event.payload) },
  previous_hash: { type: "bytea", of: (event) => Buffer.from(event.previousHash, "hex") },
  hash: { type: "bytea", of: (event) => Buffer.from(event.hash, "hex") },
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
 * Appends events, in order, within the caller's database transaction; those on the record already
 * are skipped. The head stays locked until the transaction ends, so take every other lock before.
 * @throws Rejection EVENT_ID_REUSED when one is there with other content
 */
export async function appendEvents(
  tx: Tx,
  source: string,
  events: readonly NewEvent[],
  stamp: AppendStamp,
): Promise<Head> {
  const locked = await readHead(tx, "for update");
  if (locked === undefined) throw new Error("the lineage has lost its head row");
  let head = locked;
  const recorded = await findEvents(tx, events);
  const pseudonyms = await findPseudonyms(tx, events, [...recorded.values()]);
  const subjects = new Map([...pseudonyms].map(([subject, pseudonym]) => [pseudonym, subject]));
  const drawn: [subject: string, pseudonym: string][] = [];
  const pseudonymOf = (subject: string): string => {
    const known = pseudonyms.get(subject);
    if (known !== undefined) return known;
    const pseudonym = stamp.newPseudonym();
    pseudonyms.set(subject, pseudonym);
    subjects.set(pseudonym, subject);
    drawn.push([subject, pseudonym]);
    return pseudonym;
  };
  const added: LineageEvent[] = [];
  for (const event of events) {
    const first = recorded.get(event.eventId);
    if (first !== undefined) {
      if (isSameEvent(first, { ...event, source }, (known) => subjects.get(known))) continue;
      const message = `event ${event.eventId} is on the record with other content`;
      throw refuse("EVENT_ID_REUSED", message, { metadata: { eventId: event.eventId } });
    }
    const hidden = Object.fromEntries(
      Object.entries(event.subjects).map(([role, subject]) => [role, pseudonymOf(subject)]),
    );
    const told = { ...event, subjects: hidden };
    const link = chain(head, told, { source, recordTime: stamp.now });
    added.push(link);
    recorded.set(link.eventId, link);
    head = { sequence: link.sequence, hash: link.hash };
  }
  if (added.length === 0) return head;
  await insertPseudonyms(tx, drawn, stamp.now);
  await insertRows(tx, "lineage_events", COLUMNS, added);
  await tx.query("update lineage_head set sequence = $1, hash = $2", [
    head.sequence,
    Buffer.from(head.hash, "hex"),
  ]);
  return head;
}

async function readHead(tx: Tx, lock: "for update" | ""): Promise<Head | undefined> {
  const { rows } = await tx.query<{ sequence: string; hash: Uint8Array }>(
    `select sequence, hash from lineage_head ${lock}`,
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return { sequence: BigInt(row.sequence), hash: Buffer.from(row.hash).toString("hex") };
}

async function findEvents(tx: Tx, events: readonly NewEvent[]): Promise<Map<string, LineageEvent>> {
  const { rows } = await tx.query<EventRow>(
    `select ${SELECTED} from lineage_events where event_id = any($1)`,
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
       select ${SELECTED}
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

/** Walks the chain from its first event, `pageSize` rows at a time; run it on one snapshot. */
export async function verifyChain(tx: Tx, pageSize = 1_000): Promise<ChainReport> {
  let head = GENESIS;
  let events = 0n;
  for (;;) {
    const { rows } = await tx.query<EventRow>(
      `select ${SELECTED} from lineage_events where sequence > $1 order by sequence limit $2`,
      // A row that was moved before the first place must be met too.
      [events === 0n ? -(2n ** 63n) : head.sequence, pageSize],
    );
    for (const event of rows.map(toEvent)) {
      events += 1n;
      const fault = faultOf(head, event);
      if (fault !== undefined) {
        // Of a gap its first place is told, not where the chain goes on.
        const expected = head.sequence + 1n;
        const sequence = event.sequence < expected ? event.sequence : expected;
        return { events, head, broken: { sequence, fault } };
      }
      head = { sequence: event.sequence, hash: event.hash };
    }
    if (rows.length < pageSize) break;
  }
  const told = await readHead(tx, "");
  if (told?.sequence !== head.sequence || told.hash !== head.hash) {
    const broken = { sequence: head.sequence + 1n, fault: "HEAD_MISMATCH" } as const;
    return { events, head, broken };
  }
  return { events, head, broken: undefined };
}
