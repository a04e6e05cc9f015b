-- The lines of the books. A line is written once and never changed or removed; a trigger refuses
-- both. Accounts are not referenced by foreign keys: a batch writes only ids of accounts that it
-- holds locked, and Verify looks for others.
create type movement_kind as enum ('HOLD', 'POST', 'RELEASE', 'TRANSFER');

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is never changed, only added to', tg_table_name
    using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_immutable';
end
$$;

create table movements (
  id uuid not null,
  -- The order in which the lines of one transaction or account were written.
  position bigint generated always as identity,
  kind movement_kind not null,
  debit_account bigint not null,
  credit_account bigint not null,
  amount bigint not null,
  hold_id uuid,
  reference text not null,
  created_at timestamptz not null,
  constraint movements_pkey primary key (id),
  constraint movements_amount_positive check (amount > 0),
  constraint movements_two_accounts check (debit_account <> credit_account),
  constraint movements_resolves_hold check ((hold_id is not null) = (kind in ('POST', 'RELEASE')))
);

-- A hold is paid out of at most once and released at most once.
create unique index movements_hold_key on movements (hold_id, kind) where hold_id is not null;
create index movements_reference on movements (reference);

create trigger movements_immutable before update or delete or truncate on movements
  for each statement execute function refuse_change();

-- What was asked without a hold, by the caller's id, so that asking again does nothing. A burnt one
-- was refused for want of funds and stays refused.
create type transfer_kind as enum ('DEPOSIT', 'WITHDRAWAL', 'CREDIT');

create table transfers (
  kind transfer_kind not null,
  id text not null,
  owner text not null,
  currency text not null,
  amount bigint not null,
  task_id text not null,
  burnt boolean not null,
  created_at timestamptz not null,
  constraint transfers_pkey primary key (kind, id),
  constraint transfers_amount_not_zero check (amount <> 0),
  constraint transfers_only_credits_negative check (amount > 0 or kind = 'CREDIT'),
  constraint transfers_only_withdrawals_burn check (not burnt or kind = 'WITHDRAWAL')
);
