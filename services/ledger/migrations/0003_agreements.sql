-- Agreements and where they stand. Parties are named by their accounts, the payer's and the
-- provider's of one currency. No index touches a column that changes, and the pages keep room for
-- the second version of each row.
create type transaction_state as enum ('PENDING', 'SETTLED', 'CANCELLED', 'DISPUTED');

create table transactions (
  id uuid not null,
  payer_account bigint not null,
  provider_account bigint not null,
  amount bigint not null,
  settled bigint not null default 0,
  -- How long the hold lasts when nothing is delivered.
  hold_ms bigint not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  settled_at timestamptz(3),
  state transaction_state not null,
  disputed boolean not null default false,
  capability text not null,
  recorder text not null,
  -- Those that were recorded with others, all or none.
  group_id uuid,
  -- Canonical JSON (RFC 8785); text order and all, so that a repetition can be compared.
  context json,
  -- What was agreed on delivery and arbitration; canonical JSON too.
  terms json,
  delivered_at timestamptz(3),
  delivered_sha256 bytea,
  delivered_reference text,
  -- The rule that ended the hold when nobody did.
  end_rule text,
  constraint transactions_pkey primary key (id),
  constraint transactions_amount_positive check (amount > 0),
  constraint transactions_two_parties check (payer_account <> provider_account),
  constraint transactions_settled_in_range check (settled between 0 and amount),
  constraint transactions_hold_positive check (hold_ms > 0),
  constraint transactions_settled_has_time
    check (state <> 'SETTLED' or (settled > 0 and settled_at is not null))
) with (fillfactor = 60);

create index transactions_payer on transactions (payer_account, created_at);
create index transactions_provider on transactions (provider_account, created_at);
create index transactions_created on transactions (created_at);
create index transactions_group on transactions (group_id) where group_id is not null;

-- Promises that are not resolved yet, at most one of each transaction: the payer's or, in a dispute
-- after settlement, the provider's. `due_at` is when a rule ends it; null while a dispute freezes
-- it. Rows come and go with every payment.
create table holds (
  transaction_id uuid not null,
  id uuid not null,
  account bigint not null,
  amount bigint not null,
  due_at timestamptz(3),
  constraint holds_pkey primary key (transaction_id),
  constraint holds_amount_positive check (amount > 0)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create index holds_account on holds (account, id);
create index holds_due on holds (due_at) where due_at is not null;

-- Ids that were refused for want of funds, with the terms they came with, so that a late retry
-- cannot succeed.
create table burnt_transactions (
  id uuid not null,
  payer text not null,
  provider text not null,
  capability text not null,
  currency text not null,
  amount bigint not null,
  hold_ms bigint not null,
  recorder text not null,
  group_id uuid,
  context json,
  terms json,
  created_at timestamptz(3) not null,
  constraint burnt_transactions_pkey primary key (id)
);
