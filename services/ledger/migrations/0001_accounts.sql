-- Who has what. The columns are the running fold of the movements and can be recomputed from them
-- at any time. No index touches a column that changes and the pages keep room, so that an update
-- stays on its page (HOT).
create table accounts (
  id bigint generated always as identity,
  owner text not null,
  currency text not null,
  posted bigint not null default 0,
  held bigint not null default 0,
  credit_limit bigint not null default 0,
  created_at timestamptz not null,
  constraint accounts_pkey primary key (id),
  constraint accounts_owner_currency_key unique (owner, currency),
  constraint accounts_held_not_negative check (held >= 0),
  constraint accounts_credit_limit_not_negative check (credit_limit >= 0),
  constraint accounts_in_range check (
    posted between -9000000000000000000 and 9000000000000000000
    and posted::numeric - held >= -9000000000000000000
  )
) with (fillfactor = 50);
