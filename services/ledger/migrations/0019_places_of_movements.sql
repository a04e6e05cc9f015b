-- outside a transaction
-- Where the movements of a payment stand that was decided from memory: those that began it in the batch of its
-- `created_at`, those that ended it in that of `ended_at`, at these places and behind. Others are found by an index.
alter table transactions
  add column if not exists begun_nth integer,
  add column if not exists ended_nth integer,
  add column if not exists ended_at timestamptz(3);
