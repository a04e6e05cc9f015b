-- What is contested, until when each step lasts, and what was ruled. `due_at` is when a rule ends
-- it if nothing more is said; null when it is over. The parties stand here too, for lists.
create table disputes (
  transaction_id uuid not null,
  payer_account bigint not null,
  provider_account bigint not null,
  -- What is in dispute: the amount of the transaction or, after settlement, what was paid.
  amount bigint not null,
  flagged_by text not null,
  flagged_at timestamptz(3) not null,
  evidence_due timestamptz(3) not null,
  ruling_due timestamptz(3) not null,
  due_at timestamptz(3),
  -- The provider had been paid before.
  was_settled boolean not null,
  evidence_count integer not null default 0,
  ruling_share_bps integer,
  ruling_rule text,
  ruling_reason text,
  ruled_by text,
  ruled_at timestamptz(3),
  constraint disputes_pkey primary key (transaction_id),
  constraint disputes_transaction_fkey
    foreign key (transaction_id) references transactions (id),
  constraint disputes_amount_positive check (amount > 0),
  constraint disputes_in_order check (flagged_at <= evidence_due and evidence_due <= ruling_due),
  constraint disputes_ruling_whole check (
    num_nulls(ruling_share_bps, ruling_rule, ruling_reason, ruled_by, ruled_at) in (0, 5)
  ),
  constraint disputes_over_when_ruled check ((due_at is null) = (ruled_at is not null))
);

create index disputes_due on disputes (due_at) where due_at is not null;
create index disputes_flagged on disputes (flagged_at, transaction_id);
create index disputes_payer on disputes (payer_account, flagged_at);
create index disputes_provider on disputes (provider_account, flagged_at);

-- Who was named to decide a dispute, so that each finds what waits for it.
create table dispute_arbitrators (
  arbitrator text not null,
  transaction_id uuid not null,
  constraint dispute_arbitrators_pkey primary key (arbitrator, transaction_id),
  constraint dispute_arbitrators_dispute_fkey
    foreign key (transaction_id) references disputes (transaction_id)
);

create table evidence (
  transaction_id uuid not null,
  nth integer not null,
  submitter text not null,
  note text not null,
  reference text not null,
  sha256 text not null,
  submitted_at timestamptz(3) not null,
  constraint evidence_pkey primary key (transaction_id, nth),
  constraint evidence_dispute_fkey foreign key (transaction_id) references disputes (transaction_id)
);

create trigger evidence_immutable before update or delete or truncate on evidence
  for each statement execute function refuse_change();

-- What named arbitrators would rule; each has one vote and may change it until the ruling.
create table votes (
  transaction_id uuid not null,
  arbitrator text not null,
  share_bps integer not null,
  reason text not null,
  voted_at timestamptz(3) not null,
  constraint votes_pkey primary key (transaction_id, arbitrator),
  constraint votes_dispute_fkey foreign key (transaction_id) references disputes (transaction_id),
  constraint votes_share_in_range check (share_bps between 0 and 10000)
);

-- What an account owes another by a dispute: it is taken first from what comes in. Guarded by the
-- lock on the debtor's account, whose `owed` is their sum.
create table debts (
  transaction_id uuid not null,
  debtor_account bigint not null,
  creditor_account bigint not null,
  amount bigint not null,
  created_at timestamptz(3) not null,
  constraint debts_pkey primary key (transaction_id),
  constraint debts_amount_positive check (amount > 0)
);

create index debts_debtor on debts (debtor_account, transaction_id);
