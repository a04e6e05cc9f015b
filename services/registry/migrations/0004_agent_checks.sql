-- outside a transaction
-- The rows of before, which are read without keeping anyone from writing to them.
alter table agents validate constraint agents_capabilities_count;
alter table agents validate constraint agents_erased_is_gone;
