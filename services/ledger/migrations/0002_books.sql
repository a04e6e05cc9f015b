-- Who has what. The amounts are the running fold of the movements and can be recomputed from them
-- at any time. No index touches a column that changes and the pages keep room, so that an update
-- stays on its page (HOT). An owner stands here and nowhere else: to forget one is to rename it.
create type account_status as enum ('OPEN', 'FROZEN', 'CLOSED');

create table accounts (
  id bigint generated always as identity,
  owner text not null,
  currency text not null,
  -- Turnovers only grow: 64 bits are soon too few for a busy account in a small unit.
  debits_posted numeric(39, 0) not null default 0,
  credits_posted numeric(39, 0) not null default 0,
  debits_held numeric(39, 0) not null default 0,
  credits_held numeric(39, 0) not null default 0,
  credit_limit bigint not null default 0,
  -- The sum of its debts.
  owed bigint not null default 0,
  status account_status not null default 'OPEN',
  -- Drawn anew with every change: who decided on a row as it remembers it finds out by this whether
  -- it still is so.
  stamp bigint not null default 0,
  created_at timestamptz(3) not null,
  constraint accounts_pkey primary key (id),
  constraint accounts_owner_currency_key unique (owner, currency),
  constraint accounts_turnover_not_negative check (debits_posted >= 0 and credits_posted >= 0),
  constraint accounts_held_not_negative check (debits_held >= 0 and credits_held >= 0),
  constraint accounts_limits_not_negative check (credit_limit >= 0 and owed >= 0),
  constraint accounts_in_range check (
    credits_posted - debits_posted between -9000000000000000000 and 9000000000000000000
    and credits_posted - debits_posted - debits_held >= -9000000000000000000
  ),
  constraint accounts_closed_empty check (
    status <> 'CLOSED'
    or (credits_posted = debits_posted and debits_held = 0 and credits_held = 0 and owed = 0)
  )
) with (fillfactor = 50);

-- The lines of the books. A line is written once and never changed or removed; a trigger refuses
-- both. Their ids are UUIDv7, so a range of ids is a range of time: a partition holds a month, and
-- an id is unique over all of them. Accounts are not referenced by foreign keys: a batch writes
-- only ids of accounts that it holds locked, and Verify looks for others.
create type movement_kind as enum ('HOLD', 'POST', 'RELEASE', 'TRANSFER');

create table movements (
  batch bigint not null,
  debit_account bigint not null,
  credit_account bigint not null,
  amount bigint not null,
  created_at timestamptz(3) not null,
  -- The place in the batch, from 0.
  nth integer not null,
  kind movement_kind not null,
  id uuid not null,
  -- What it belongs to: a transaction, or the deposit, withdrawal or credit of this id.
  transaction_id uuid,
  hold_id uuid,
  -- SHA-256 of what it says, by which the batch vouches for it.
  hash bytea not null,
  transfer text,
  constraint movements_pkey primary key (id),
  constraint movements_amount_positive check (amount > 0),
  constraint movements_two_accounts check (debit_account <> credit_account),
  constraint movements_belongs check (num_nonnulls(transaction_id, transfer) = 1),
  constraint movements_resolves_hold check ((hold_id is not null) = (kind in ('POST', 'RELEASE')))
) partition by range (id);

create table movements_default partition of movements default;

create index movements_transaction on movements (transaction_id) where transaction_id is not null;
-- Grows at its end only, and all movements of a batch share an entry: seven bytes each.
create index movements_batch on movements (batch);

-- For each row, so that it also stands before a statement that names a partition.
create trigger movements_immutable before update or delete on movements
  for each row execute function refuse_change();
create trigger movements_not_truncated before truncate on movements
  for each statement execute function refuse_change();

-- What was asked without a hold, by the caller's id, so that asking again does nothing. A burnt one
-- was refused for want of funds and stays refused.
create type transfer_kind as enum ('DEPOSIT', 'WITHDRAWAL', 'CREDIT');

create table transfers (
  kind transfer_kind not null,
  id text not null,
  account bigint not null,
  amount bigint not null,
  task_id text not null,
  burnt boolean not null,
  created_at timestamptz(3) not null,
  constraint transfers_pkey primary key (kind, id),
  constraint transfers_account_fkey foreign key (account) references accounts (id),
  constraint transfers_amount_not_zero check (amount <> 0),
  constraint transfers_only_credits_negative check (amount > 0 or kind = 'CREDIT'),
  constraint transfers_only_withdrawals_burn check (not burnt or kind = 'WITHDRAWAL')
);

create index transfers_created on transfers (kind, created_at, id) where not burnt;
create index transfers_account on transfers (account, kind, created_at, id) where not burnt;

-- Ends a statement that was decided on rows which are not so any more.
create function refuse_stale(holds boolean) returns boolean language plpgsql as $$
begin
  if holds then return true; end if;
  raise exception 'what was decided on has changed' using errcode = 'serialization_failure';
end
$$;
