-- outside a transaction
-- Each statement by itself, so that it locks one table for an instant.

-- Transactions stand in chapters by when they were recorded, so that the indexes by party grow at one end: that of the
-- newest chapter. Entries of random parties all over a large index took a third of what Postgres does for a payment,
-- with two million stored: each went to another page, which was written whole after each checkpoint.
create table if not exists chapters (
  number integer not null,
  -- All transactions from then on until the next one begins, and no others.
  begins timestamptz(3) not null,
  constraint chapters_pkey primary key (number)
);

insert into chapters (number, begins) values (0, '-infinity') on conflict do nothing;

create or replace function chapter_of(at timestamptz) returns integer language sql stable as $$
  select number from chapters where begins <= at order by number desc limit 1
$$;

alter table transactions add column if not exists chapter integer not null default 0;

-- For those who do not say in which chapter.
create or replace function file_transaction() returns trigger language plpgsql as $$
begin
  new.chapter = chapter_of(new.created_at);
  return new;
end
$$;

create or replace trigger transactions_filed before insert on transactions
  for each row when (new.chapter is null) execute function file_transaction();

alter table transactions alter column chapter drop default;

-- What was written since the newest chapter began, and when that was: who files a transaction on what it read of
-- chapters finds out under the lock on the head whether one has begun since.
alter table journal_head add column if not exists chapter_entries bigint not null default 0;
alter table journal_head add column if not exists chapter_begins timestamptz(3) not null default '-infinity';

-- Behind all that was recorded so far, under the lock on the head that each recorder takes. A second later, so that
-- batches which are under way still belong to the chapter before. Where a clock was ahead by years, no further chapter
-- begins until then: what is in the last one is found all the same.
create or replace function begin_chapter() returns trigger language plpgsql as $$
declare
  next timestamptz;
begin
  select max(created_at) + interval '1 second' into next from transactions;
  if next > new.chapter_begins then
    insert into chapters (number, begins) select max(number) + 1, next from chapters;
  else
    next = new.chapter_begins;
  end if;
  update journal_head set chapter_entries = 0, chapter_begins = next;
  return null;
end
$$;

create or replace trigger journal_head_chapter after update of chapter_entries on journal_head
  for each row when (new.chapter_entries >= 262144) execute function begin_chapter();

create index concurrently if not exists transactions_chapter_payer
  on transactions (chapter, payer_account, created_at);
create index concurrently if not exists transactions_chapter_provider
  on transactions (chapter, provider_account, created_at);
drop index concurrently if exists transactions_payer;
drop index concurrently if exists transactions_provider;
