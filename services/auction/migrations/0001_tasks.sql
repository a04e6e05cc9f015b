-- A task is one row, its awards included: every move of a task is one update of one row. What is
-- looked for has a column of its own; the rest stands in JSON documents, in which 64-bit numbers
-- are strings. `winner` is the agent of the last award, `winners` are all that were ever told of
-- one. `due_at` is when the market itself must act.
create table tasks (
  id text not null,
  requester text not null,
  state text not null,
  capabilities text[] not null,
  spec json not null,
  awards json not null default '[]',
  epoch integer not null default 0,
  winner text,
  winners text[] not null default '{}',
  result json,
  outcome json,
  end_reason text,
  evaluation text not null default '',
  bid_count integer not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  closes_at timestamptz not null,
  ended_at timestamptz,
  due_at timestamptz,
  attempts integer not null default 0,
  changed_in xid8 not null default pg_current_xact_id(),
  constraint tasks_pkey primary key (id),
  constraint tasks_state check (
    state in (
      'OPEN', 'AWARDING', 'AWARDED', 'DELIVERED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED'
    )
  ),
  constraint tasks_end check (
    (state in ('SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED'))
      = (ended_at is not null and end_reason is not null and due_at is null)
  )
);

create index tasks_created on tasks (created_at desc, id desc);
create index tasks_state_created on tasks (state, created_at desc, id desc);
create index tasks_requester_created on tasks (requester, created_at desc, id desc);
create index tasks_winner_created on tasks (winner, created_at desc, id desc);
create index tasks_due on tasks (due_at, id) where due_at is not null;
create index tasks_in_hand on tasks (winner) where state in ('AWARDING', 'AWARDED', 'DELIVERED');
create index tasks_live on tasks (state) where ended_at is null;
create index tasks_changed on tasks (changed_in, id);

-- An end is final: not even a bug can write behind it.
create function keep_ends() returns trigger language plpgsql as $$
begin
  raise exception 'task % has ended', old.id
    using errcode = 'check_violation', constraint = 'tasks_final';
end
$$;

create trigger tasks_final before update on tasks
  for each row when (old.ended_at is not null)
  execute function keep_ends();
