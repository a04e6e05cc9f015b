-- outside a transaction
-- Each statement by itself, so that it locks one pair of tables for an instant.

-- An update of a row that others refer to reads the row anew, to see whether its key has changed: a
-- tenth of what an account costs. As with movements, Verify looks for those that refer to nothing.
alter table transfers drop constraint if exists transfers_account_fkey;
alter table disputes drop constraint if exists disputes_transaction_fkey;

-- The second version of a row is as large as the first: with less room than that, each third settlement
-- went to another page, and to all indexes.
alter table transactions set (fillfactor = 50);
