-- outside a transaction
-- A group belongs to who recorded it. No recorder is looked for in the middle: whether there is one before or
-- behind another in this index says whether there is another.
create index concurrently if not exists transactions_group_recorder
  on transactions (group_id, recorder) where group_id is not null;
drop index concurrently if exists transactions_group;
