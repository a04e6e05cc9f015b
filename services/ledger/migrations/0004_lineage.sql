-- The record of what happened. Each row bears the hash of the row before it; the head row is locked
-- to append and tells where the chain ends, so that a missing tail is seen. How a hash is made:
-- src/lineage.ts.
create table lineage_events (
  sequence bigint not null,
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
  previous_hash bytea not null,
  hash bytea not null,
  constraint lineage_events_pkey primary key (sequence),
  constraint lineage_events_event_id_key unique (event_id)
);

create index lineage_events_time on lineage_events (event_time, sequence);
create index lineage_events_task on lineage_events (task_id, sequence) where task_id <> '';
create index lineage_events_subjects on lineage_events
  using gin (jsonb_path_query_array(subjects, '$.*'));

create trigger lineage_events_immutable before update or delete or truncate on lineage_events
  for each statement execute function refuse_change();

create table lineage_head (
  lock boolean not null default true,
  sequence bigint not null,
  hash bytea not null,
  constraint lineage_head_pkey primary key (lock),
  constraint lineage_head_one_row check (lock)
);

insert into lineage_head (sequence, hash) values (0, decode(repeat('00', 32), 'hex'));

-- Who stands behind a pseudonym. It is drawn at random, so deleting the row destroys the link for
-- good.
create table pseudonyms (
  subject text not null,
  pseudonym text not null,
  created_at timestamptz not null,
  constraint pseudonyms_pkey primary key (subject),
  constraint pseudonyms_pseudonym_key unique (pseudonym)
);
