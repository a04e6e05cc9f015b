-- What moved a reputation. An outcome counts once: its id is the key, `content` is a digest of what was told, and
-- `answer` is what was answered, so that a repetition gets the same. `counted` is false for work that an agent had
-- ordered itself. Adjustments are made by hand; their reasons stand here and nowhere else.
create table outcomes (
  id text not null,
  agent_id text collate "C" not null,
  requester_id text not null,
  capability text not null,
  success boolean not null,
  counted boolean not null,
  ended_at timestamptz not null,
  recorded_at timestamptz not null,
  content bytea not null,
  answer bytea not null,
  constraint outcomes_pkey primary key (id),
  constraint outcomes_agent_id_fkey foreign key (agent_id) references agents (id)
);

create index outcomes_agent on outcomes (agent_id, recorded_at);

create table adjustments (
  agent_id text collate "C" not null,
  version bigint not null,
  delta_ppm bigint not null,
  reason text not null,
  made_by text not null,
  made_at timestamptz not null,
  constraint adjustments_pkey primary key (agent_id, version),
  constraint adjustments_agent_id_fkey foreign key (agent_id) references agents (id)
);
