-- A transaction leaves one row for all keys that got messages from it, and not one for each: a thousand agents that are
-- registered together cost a row. Rows of before, and of programs of before, bear one key.
alter table outbox_arrivals
  add column keys text[],
  alter column key drop not null;
