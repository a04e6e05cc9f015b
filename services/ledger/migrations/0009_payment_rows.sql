-- What a batch of payments is sent as: an array of each of these, in binary. Their columns and the order of these are
-- those of src/postgres/payment-batch.ts. A batch with other columns needs types of other names, since the processes
-- of before go on to send these.
create type payment_account as (
  id bigint,
  -- What the row must bear still.
  stamp bigint,
  debits_posted numeric,
  credits_posted numeric,
  debits_held numeric,
  credits_held numeric
);

create type payment_begin as (
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
  due_at timestamptz
);

create type payment_end as (
  id uuid,
  state transaction_state,
  settled bigint,
  hold uuid
);

create type payment_movement as (
  debit bigint,
  credit bigint,
  amount bigint,
  kind movement_kind,
  id uuid,
  transaction_id uuid,
  hold_id uuid,
  transfer text,
  nth integer,
  hash bytea
);
