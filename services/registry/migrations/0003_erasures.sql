-- Erasures: an agent's id gives way to an alias, in every service. While one is under way the id stands in the outbox
-- and in the agent's row, which is blank by then; afterwards it stands nowhere.
create table erasures (
  id uuid not null,
  alias text collate "C" not null,
  requested_at timestamptz not null,
  completed_at timestamptz,
  constraint erasures_pkey primary key (id),
  constraint erasures_alias_key unique (alias)
);

create index erasures_requested on erasures (requested_at desc, id desc);
create index erasures_pending on erasures (requested_at desc, id desc) where completed_at is null;

-- The services that have to erase, in their order, and why one could not when it was last asked.
create table erasure_steps (
  erasure_id uuid not null,
  nth integer not null,
  service text not null,
  completed_at timestamptz,
  tried_at timestamptz,
  reason text not null default '',
  metadata jsonb not null default '{}',
  constraint erasure_steps_pkey primary key (erasure_id, service),
  constraint erasure_steps_erasure_id_fkey foreign key (erasure_id) references erasures (id)
);

-- Digests of ids that were erased, so that none is used again. The salt keeps them from being looked up in lists made
-- elsewhere; who has this database can still try out ids that he guesses, and learns no more than that one was erased.
create table erased_ids (
  digest bytea not null,
  constraint erased_ids_pkey primary key (digest)
);

create table erasure_salt (
  one boolean not null default true,
  salt bytea not null,
  constraint erasure_salt_pkey primary key (one),
  constraint erasure_salt_one_row check (one)
);

insert into erasure_salt (salt)
values (
  uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

-- Rows of agents that were taken away, which followers of the table could not be told: how many, and the latest change
-- of any of them. A follower that stands before it has to begin anew.
create table agents_removed (
  one boolean not null default true,
  rows bigint not null,
  changed_in xid8 not null,
  constraint agents_removed_pkey primary key (one),
  constraint agents_removed_one_row check (one)
);

insert into agents_removed (rows, changed_in) values (0, '0');

-- An erased agent says nothing of itself, not even what it can do.
alter table agents
  add column erased_at timestamptz,
  drop constraint agents_capabilities_count,
  add constraint agents_capabilities_count
    check (cardinality(capabilities) <= 100 and (cardinality(capabilities) > 0 or erased_at is not null))
    not valid,
  add constraint agents_erased_is_gone check (erased_at is null or unregistered_at is not null)
    not valid;
