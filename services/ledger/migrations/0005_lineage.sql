-- The record of what happened: each event is an entry of a batch of the journal, behind the
-- movements that were written with it.
create table lineage_events (
  sequence bigint not null,
  batch bigint not null,
  nth integer not null,
  event_id text not null,
  type text not null,
  event_time timestamptz(3) not null,
  record_time timestamptz(3) not null,
  source text not null,
  -- Pseudonyms by the part they play.
  subjects jsonb not null,
  task_id text not null,
  -- Canonical JSON (RFC 8785); text order and all.
  payload json,
  -- SHA-256 of what it says, by which the batch vouches for it.
  hash bytea not null,
  constraint lineage_events_pkey primary key (sequence),
  constraint lineage_events_event_id_key unique (event_id)
);

create index lineage_events_batch on lineage_events (batch, nth);
create index lineage_events_time on lineage_events (event_time, sequence);
create index lineage_events_task on lineage_events (task_id, sequence) where task_id <> '';
create index lineage_events_subjects on lineage_events
  using gin (jsonb_path_query_array(subjects, '$.*'));

create trigger lineage_events_immutable before update or delete or truncate on lineage_events
  for each statement execute function refuse_change();

-- Who stands behind a pseudonym. It is drawn at random, so deleting the row destroys the link for
-- good.
create table pseudonyms (
  subject text not null,
  pseudonym text not null,
  created_at timestamptz not null,
  constraint pseudonyms_pkey primary key (subject),
  constraint pseudonyms_pseudonym_key unique (pseudonym)
);
