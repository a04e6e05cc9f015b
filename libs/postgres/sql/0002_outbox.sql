-- What the service still has to tell others, written in the transaction that made it true. A relay
-- delivers the oldest row of each key, deletes it, and goes on to the next row of that key. A claim
-- is a lease (claimed_until) and not a lock, because deliveries are slow and must not hold a
-- transaction open. A parked row was refused for good: it and its successors of the same key wait
-- for an operator.
create table outbox (
  position bigint generated always as identity,
  id text not null,
  kind text not null,
  key text not null,
  payload json not null,
  created_at timestamptz not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  claim uuid,
  claimed_until timestamptz,
  parked_at timestamptz,
  error text,
  constraint outbox_pkey primary key (position),
  constraint outbox_id_key unique (id)
);

create index outbox_key on outbox (key, position);
create index outbox_due on outbox (next_attempt_at, position) where parked_at is null;
