-- What was written together, chained: each batch bears the hash of the one before. The head row is
-- the last lock that a writer takes and keeps to its commit, so that batches follow each other in
-- the order of their commits. How hashes are made: src/journal.ts.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is never changed, only added to', tg_table_name
    using errcode = 'integrity_constraint_violation', constraint = tg_name;
end
$$;

create table batches (
  sequence bigint not null,
  recorded_at timestamptz(3) not null,
  -- How many movements and events it bears.
  entries integer not null,
  root bytea not null,
  hash bytea not null,
  constraint batches_pkey primary key (sequence),
  constraint batches_not_empty check (entries > 0)
);

create trigger batches_immutable before update or delete or truncate on batches
  for each statement execute function refuse_change();

create table journal_head (
  lock boolean not null default true,
  -- The newest batch and its hash.
  sequence bigint not null,
  hash bytea not null,
  -- How many events there are in all batches.
  events bigint not null,
  constraint journal_head_pkey primary key (lock),
  constraint journal_head_one_row check (lock)
);

insert into journal_head (sequence, hash, events) values (0, decode(repeat('00', 32), 'hex'), 0);
