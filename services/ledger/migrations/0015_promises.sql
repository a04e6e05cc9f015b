-- A hold changes its payer's account only, and its payment in full the provider's only: what the payer has promised is
-- already among its debits. So `debits_posted` and `debits_held` tell something only together, all that went out or is
-- promised; what of it is promised, and what is promised to an account, is added up from open holds when somebody asks.
-- `credits_held` tells nothing any more.

-- As `payment_account`, which the processes of before go on to send.
create type payment_totals as (
  id bigint,
  stamp bigint,
  debits numeric,
  credits numeric
);

-- Whoever promises money to an account does not lock it, but checks under the lock on the head of the journal that no
-- account was closed or renamed since. Called at the end of the transaction that does that, so that what it locks and
-- looks for comes behind everything else.
create function count_closing() returns trigger language plpgsql as $$
begin
  update journal_head set closings = closings + 1;
  if exists (select from holds where account = new.id or payee = new.id) then
    raise exception 'an account has a hold that is open' using errcode = 'serialization_failure';
  end if;
  return null;
end
$$;

-- For the processes of before, which do not say whom a hold is for.
create function name_payee() returns trigger language plpgsql as $$
begin
  select t.payer_account + t.provider_account - new.account into new.payee
  from transactions t where t.id = new.transaction_id;
  return new;
end
$$;
