-- outside a transaction
-- A page is cleaned up at each look at it for as long as it is fuller than its fillfactor, and new rows alone fill it
-- that far. So an account begins with room that it gives up when it is first written: what is left of a page then is
-- for versions, and it is cleaned up once in some twenty of these. Pages of before have room for a few.
alter table accounts add column if not exists room text not null default '';
alter table accounts alter column room set default repeat(' ', 128);
alter table accounts set (fillfactor = 60);
