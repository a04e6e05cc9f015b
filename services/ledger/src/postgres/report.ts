import type { Tx } from "@bourse/postgres";
import { ACTIVITIES, OTHER } from "../report/activities.ts";
import type { Erasure, Period, Tallies, TypeTally } from "../report/report.ts";

/** The most erasures that a report lists. */
const ERASURES_MAX = 1_000;
/** Up to so long a period is counted by days, a longer one by months. */
const DAYS_MAX_MS = 92 * 86_400_000;

const WITHIN = "event_time >= $1 and event_time < $2";

/** Counts the events of a period; run it on one snapshot. */
export async function tallyEvents(tx: Tx, period: Period): Promise<Tallies> {
  const { erasures, ...counts } = await countErasures(tx, period);
  return {
    types: await tallyTypes(tx, period),
    subjectsByActivity: await countByActivity(tx, period),
    roles: await tallyRoles(tx, period),
    spans: await tallySpans(tx, period),
    ...(await tallyAll(tx, period)),
    erasures,
    ...counts,
  };
}

async function tallyTypes(tx: Tx, { from, until }: Period): Promise<readonly TypeTally[]> {
  const { rows } = await tx.query<
    Record<"type" | "source" | "events" | "subjects", string> & { first: Date; last: Date }
  >(
    `with told as (
       select type, source, count(*) as events, min(event_time) as first, max(event_time) as last
       from lineage_events
       where ${WITHIN}
       group by type, source
     ),
     concerned as (
       select type, source, count(distinct pseudonym.value) as subjects
       from lineage_events, jsonb_each_text(subjects) as pseudonym
       where ${WITHIN}
       group by type, source
     )
     select type, source, events, coalesce(subjects, 0) as subjects, first, last
     from told left join concerned using (type, source)
     order by type collate "C", source collate "C"`,
    [from, until],
  );
  return rows.map(({ type, source, events, subjects, first, last }) => {
    return { type, source, events: Number(events), subjects: Number(subjects), first, last };
  });
}

async function countByActivity(
  tx: Tx,
  { from, until }: Period,
): Promise<Tallies["subjectsByActivity"]> {
  const pairs = ACTIVITIES.flatMap(({ id, eventTypes }) => eventTypes.map((type) => [id, type]));
  const { rows } = await tx.query<{ activity: string; subjects: string }>(
    `select coalesce(known.activity, $5) as activity, count(distinct pseudonym.value) as subjects
     from lineage_events
     left join unnest($3::text[], $4::text[]) as known (activity, type) using (type),
       jsonb_each_text(subjects) as pseudonym
     where ${WITHIN}
     group by 1`,
    [from, until, pairs.map(([id]) => id), pairs.map(([, type]) => type), OTHER.id],
  );
  return Object.fromEntries(rows.map(({ activity, subjects }) => [activity, Number(subjects)]));
}

async function tallyRoles(tx: Tx, { from, until }: Period): Promise<Tallies["roles"]> {
  const { rows } = await tx.query<Record<"role" | "events" | "subjects", string>>(
    `select pseudonym.key as role, count(*) as events, count(distinct pseudonym.value) as subjects
     from lineage_events, jsonb_each_text(subjects) as pseudonym
     where ${WITHIN}
     group by 1
     order by pseudonym.key collate "C"`,
    [from, until],
  );
  return rows.map(({ role, events, subjects }) => {
    return { role, events: Number(events), subjects: Number(subjects) };
  });
}

async function tallySpans(tx: Tx, { from, until }: Period): Promise<Tallies["spans"]> {
  const unit = until.getTime() - from.getTime() <= DAYS_MAX_MS ? "day" : "month";
  const { rows } = await tx.query<{ start: Date; events: string }>(
    `select date_trunc($3, event_time, 'UTC') as start, count(*) as events
     from lineage_events
     where ${WITHIN}
     group by 1
     order by 1`,
    [from, until, unit],
  );
  return rows.map((row) => ({ from: row.start, events: Number(row.events) }));
}

async function tallyAll(tx: Tx, { from, until }: Period) {
  const { rows } = await tx.query<Record<"events" | "tasks" | "subjects" | "unlinked", string>>(
    `with concerned as (
       select distinct pseudonym.value as pseudonym
       from lineage_events, jsonb_each_text(subjects) as pseudonym
       where ${WITHIN}
     )
     select
       (select count(*) from lineage_events where ${WITHIN}) as events,
       (select count(distinct nullif(task_id, '')) from lineage_events where ${WITHIN}) as tasks,
       (select count(*) from concerned) as subjects,
       (select count(*) from concerned where not exists (
         select from pseudonyms where pseudonyms.pseudonym = concerned.pseudonym
       )) as unlinked`,
    [from, until],
  );
  const { rows: ends } = await tx.query<{ sequence: string; hash: Uint8Array }>(
    `select sequence, hash from lineage_events
     where sequence = (select max(sequence + 0) from lineage_events where ${WITHIN})`,
    [from, until],
  );
  const [counts] = rows;
  const [end] = ends;
  return {
    events: Number(counts?.events ?? 0),
    tasks: Number(counts?.tasks ?? 0),
    subjects: Number(counts?.subjects ?? 0),
    unlinked: Number(counts?.unlinked ?? 0),
    last: end && { sequence: BigInt(end.sequence), hash: Buffer.from(end.hash).toString("hex") },
  };
}

async function countErasures(tx: Tx, { from, until }: Period) {
  const { rows } = await tx.query<{
    id: string;
    requested_at: Date | null;
    completed_at: Date | null;
    requested: string;
    completed: string;
  }>(
    `with erasure as (
       select payload->>'erasure_id' as id, min(sequence) as sequence,
         min(event_time) filter (where type = 'erasure_requested') as requested_at,
         min(event_time) filter (where type = 'agent_erased') as completed_at
       from lineage_events
       where ${WITHIN} and type in ('erasure_requested', 'agent_erased')
         and payload->>'erasure_id' is not null
       group by 1
     )
     select id, requested_at, completed_at, count(requested_at) over () as requested,
       count(completed_at) over () as completed
     from erasure
     order by sequence
     limit $3`,
    [from, until, ERASURES_MAX],
  );
  return {
    erasures: rows.map((row): Erasure => {
      const { id, requested_at, completed_at } = row;
      return { id, requestedAt: requested_at ?? undefined, completedAt: completed_at ?? undefined };
    }),
    erasuresRequested: Number(rows[0]?.requested ?? 0),
    erasuresCompleted: Number(rows[0]?.completed ?? 0),
  };
}
