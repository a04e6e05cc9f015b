-- The memory of mutations: who asked what under which request id, and what was answered. A caller
-- that sends the same request again gets the same answer; the primary key makes the second of two
-- concurrent callers wait until the first has committed.
create table requests (
  principal text not null,
  id text not null,
  method text not null,
  fingerprint bytea not null,
  answer bytea,
  created_at timestamptz not null default now(),
  constraint requests_pkey primary key (principal, id)
);

create index requests_created_at on requests (created_at);
