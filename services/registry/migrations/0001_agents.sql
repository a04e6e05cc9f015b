-- The agents. `profile` is the contract's AgentProfile in its binary form, since the registry decides nothing on most
-- of it; what it filters on or reckons with (capabilities, metadata, max_concurrent) is copied into columns, always
-- together with the profile. `reputation` is null until the first outcome. Rows are never deleted: one with
-- unregistered_at is a tombstone, which keeps the reputation for the day the agent comes back.
-- changed_in lets watchers follow the table without missing what commits out of order.
create table agents (
  id text collate "C" not null,
  profile bytea not null,
  capabilities text[] not null,
  metadata jsonb not null,
  max_concurrent integer not null,
  declared_state text not null,
  declared_at timestamptz not null,
  lease_ms bigint,
  reputation jsonb,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unregistered_at timestamptz,
  changed_in xid8 not null default pg_current_xact_id(),
  constraint agents_pkey primary key (id),
  constraint agents_id_form check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  constraint agents_capabilities_count check (cardinality(capabilities) between 1 and 100),
  constraint agents_max_concurrent_positive check (max_concurrent > 0),
  constraint agents_declared_state_known
    check (declared_state in ('ONLINE', 'BUSY', 'OFFLINE', 'MAINTENANCE')),
  constraint agents_lease_positive check (lease_ms > 0),
  constraint agents_version_positive check (version > 0)
);

create index agents_changed_in on agents (changed_in, id);
create index agents_capabilities on agents using gin (capabilities) where unregistered_at is null;
create index agents_leased on agents (id) where lease_ms is not null and unregistered_at is null;
