-- Agreements and where they stand. The money is in the movements; settled, owed and hold_* are what
-- they add up to.
create type transaction_state as enum ('PENDING', 'SETTLED', 'CANCELLED', 'DISPUTED');

create table transactions (
  id uuid not null,
  payer text not null,
  provider text not null,
  capability text not null,
  currency text not null,
  amount bigint not null,
  -- Canonical JSON (RFC 8785); text order and all, so that a repetition can be compared.
  context json,
  recorder text not null,
  state transaction_state not null,
  settled bigint not null default 0,
  owed bigint not null default 0,
  hold_id uuid,
  hold_account bigint,
  hold_amount bigint,
  evidence_count integer not null default 0,
  ruling_share_bps integer,
  ruling_reason text,
  ruled_by text,
  ruled_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  settled_at timestamptz,
  constraint transactions_pkey primary key (id),
  constraint transactions_amount_positive check (amount > 0),
  constraint transactions_two_parties check (payer <> provider),
  constraint transactions_settled_in_range
    check (settled >= 0 and owed >= 0 and settled + owed <= amount),
  constraint transactions_hold_whole
    check (num_nulls(hold_id, hold_account, hold_amount) in (0, 3)),
  constraint transactions_hold_positive check (hold_amount > 0),
  constraint transactions_pending_has_hold check (state <> 'PENDING' or hold_amount = amount),
  constraint transactions_ended_has_none
    check (state not in ('SETTLED', 'CANCELLED') or hold_id is null),
  constraint transactions_settled_has_time
    check (state <> 'SETTLED' or (settled > 0 and settled_at is not null)),
  constraint transactions_ruling_whole
    check (num_nulls(ruling_share_bps, ruling_reason, ruled_by, ruled_at) in (0, 4))
) with (fillfactor = 85);

create index transactions_payer on transactions (payer, created_at desc, id desc);
create index transactions_provider on transactions (provider, created_at desc, id desc);
create index transactions_created on transactions (created_at desc, id desc);
create index transactions_disputed on transactions (created_at desc, id desc)
  where state = 'DISPUTED';
create index transactions_open_hold on transactions (hold_account, created_at)
  where hold_id is not null;

create table evidence (
  transaction_id uuid not null,
  nth integer not null,
  submitter text not null,
  note text not null,
  reference text not null,
  sha256 text not null,
  submitted_at timestamptz not null,
  constraint evidence_pkey primary key (transaction_id, nth),
  constraint evidence_transaction_fkey foreign key (transaction_id) references transactions (id)
);

create trigger evidence_immutable before update or delete or truncate on evidence
  for each statement execute function refuse_change();

-- Ids that were refused for want of funds, with the terms they came with, so that a late retry
-- cannot succeed.
create table burnt_transactions (
  id uuid not null,
  payer text not null,
  provider text not null,
  capability text not null,
  currency text not null,
  amount bigint not null,
  context json,
  recorder text not null,
  created_at timestamptz not null,
  constraint burnt_transactions_pkey primary key (id)
);
