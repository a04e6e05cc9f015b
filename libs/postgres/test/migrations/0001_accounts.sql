-- A table for the tests of this library.
create table accounts (
  id text not null,
  balance bigint not null,
  constraint accounts_pkey primary key (id),
  constraint accounts_balance_positive check (balance >= 0)
);
