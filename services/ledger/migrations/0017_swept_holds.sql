-- Pages of holds that have ended are soon full again: to give them back locks the table, and takes longer than to
-- keep them.
alter table holds set (vacuum_truncate = off);
