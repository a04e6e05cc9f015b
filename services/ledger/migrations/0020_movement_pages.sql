-- Movements of payments that were decided from memory stand some fifty to a row: a row for each of them, and three
-- entries into indexes, were a tenth of what Postgres does for a payment. All others stand one to a row, as all did
-- before.
alter table movements rename to movement_rows;
alter index movements_pkey rename to movement_rows_pkey;
alter index movements_transaction rename to movement_rows_transaction;
alter index movements_batch rename to movement_rows_batch;
alter trigger movements_immutable on movement_rows rename to movement_rows_immutable;
alter trigger movements_not_truncated on movement_rows rename to movement_rows_not_truncated;

-- Partitions are known by their names.
do $$
declare
  part name;
begin
  for part in
    select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'movement_rows'::regclass
  loop
    execute format('alter table %I rename to %I', part, replace(part, 'movements', 'movement_rows'));
  end loop;
end
$$;

create domain paged_movement as payment_movement
  constraint paged_movement_whole check (
    num_nulls((value).debit, (value).credit, (value).amount, (value).kind, (value).id, (value).nth,
      (value).hash) = 0
    and (value).debit <> (value).credit and (value).amount > 0
    and num_nonnulls((value).transaction_id, (value).transfer) = 1
    and ((value).hold_id is not null) = ((value).kind in ('POST', 'RELEASE'))
  );

-- The milliseconds that a UUIDv7 tells.
create function ms_of(id uuid) returns bigint language sql immutable as $$
  select ('x' || substr(id::text, 1, 8) || substr(id::text, 10, 4))::bit(48)::bigint
$$;

create table movement_pages (
  batch bigint not null,
  recorded_at timestamptz(3) not null,
  -- The place in the batch of the first one; the others follow it.
  nth integer not null,
  -- The least and the greatest id of them.
  first_id uuid not null,
  last_id uuid not null,
  movements paged_movement[] not null,
  constraint movement_pages_pkey primary key (first_id),
  constraint movement_pages_size check (cardinality(movements) between 1 and 64)
) partition by range (first_id);

-- A row fills a page of the table at most.
alter table movement_pages alter column movements set storage plain;

create index movement_pages_batch on movement_pages (batch);
create index movement_pages_place on movement_pages (recorded_at, nth);
-- Ids of several processes may overlap.
create index movement_pages_ids on movement_pages
  using gist (int8range(ms_of(first_id), ms_of(last_id), '[]'));

create table movement_pages_default partition of movement_pages default;

create trigger movement_pages_immutable before update or delete on movement_pages
  for each row execute function refuse_change();
create trigger movement_pages_not_truncated before truncate on movement_pages
  for each statement execute function refuse_change();

create view movements as
  select batch, debit as debit_account, credit as credit_account, amount, recorded_at as created_at,
    m.nth, kind, id, transaction_id, hold_id, hash, transfer
  from movement_pages cross join unnest(movements) as m
  union all
  select * from movement_rows;

-- For the processes of before, which know one table only.
create function add_movement() returns trigger language plpgsql as $$
begin
  insert into movement_rows select new.*;
  return new;
end
$$;

create trigger movements_added instead of insert on movements
  for each row execute function add_movement();

-- The movements of these transactions.
create function movements_of(transaction_ids uuid[]) returns setof movements language sql stable as $$
  select batch, m.debit, m.credit, m.amount, recorded_at, m.nth, m.kind, m.id, m.transaction_id, m.hold_id,
    m.hash, m.transfer
  from transactions t
  cross join lateral (
    values (created_at, begun_nth), (ended_at, ended_nth), (ended_at, ended_nth + 1)
  ) as place (at, nth)
  join movement_pages p
    on p.recorded_at = place.at and p.nth between place.nth - 63 and place.nth
  cross join lateral unnest(p.movements[place.nth - p.nth + 1 : place.nth - p.nth + 1]) as m
  where t.id = any(transaction_ids) and m.transaction_id = t.id
  union all
  select * from movement_rows where transaction_id = any(transaction_ids)
$$;

-- The movement of this id.
create function movement_at(movement_id uuid) returns setof movements language sql stable as $$
  select batch, debit, credit, amount, recorded_at, m.nth, kind, id, transaction_id, hold_id, hash,
    transfer
  from movement_pages cross join unnest(movements) as m
  where int8range(ms_of(first_id), ms_of(last_id), '[]') @> ms_of(movement_id) and m.id = movement_id
  union all
  select * from movement_rows where id = movement_id
$$;

-- As `payment_begin` and `payment_end`, which the processes of before go on to send, with the places of movements.
create type payment_recorded as (
  id uuid,
  payer bigint,
  provider bigint,
  amount bigint,
  settled bigint,
  hold_ms bigint,
  state transaction_state,
  capability text,
  recorder text,
  group_id uuid,
  context json,
  terms json,
  -- Null for what ends in the same batch.
  hold uuid,
  hold_account bigint,
  hold_amount bigint,
  due_at timestamptz,
  begun_nth integer,
  -- Null for what does not.
  ended_nth integer
);

create type payment_ended as (
  id uuid,
  state transaction_state,
  settled bigint,
  hold uuid,
  nth integer
);

create type payment_page as (
  nth integer,
  first_id uuid,
  last_id uuid,
  movements paged_movement[]
);
