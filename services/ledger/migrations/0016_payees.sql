-- outside a transaction
-- Each statement by itself, so that it locks one table for an instant.
alter table journal_head add column if not exists closings bigint not null default 0;
alter table holds add column if not exists payee bigint;

create or replace trigger holds_payee_named before insert on holds
  for each row when (new.payee is null) execute function name_payee();

-- in batches
update holds h set payee = t.payer_account + t.provider_account - h.account
from transactions t
where t.id = h.transaction_id and h.transaction_id in (
  select o.transaction_id from holds o join transactions on transactions.id = o.transaction_id
  where o.payee is null limit 1000
);

create index concurrently if not exists holds_payee on holds (payee);

-- The same as before, of what the columns tell now.
alter table accounts
  drop constraint if exists accounts_held_not_negative,
  drop constraint if exists accounts_in_range,
  drop constraint if exists accounts_closed_empty,
  add constraint accounts_in_range check (
    abs(credits_posted - debits_posted - debits_held) <= 9000000000000000000
  ) not valid,
  add constraint accounts_closed_empty check (
    status <> 'CLOSED' or (credits_posted = debits_posted + debits_held and owed = 0)
  ) not valid;
alter table accounts validate constraint accounts_in_range;
alter table accounts validate constraint accounts_closed_empty;

drop trigger if exists accounts_closing on accounts;
create constraint trigger accounts_closing after update of status, owner on accounts
  deferrable initially deferred for each row
  when (new.owner <> old.owner or (new.status = 'CLOSED' and old.status <> 'CLOSED'))
  execute function count_closing();
