-- One row for each key that has messages, so that finding work costs the same however many messages
-- wait behind the first of their key, or are in back-off. A relay claims a lane and not messages: it
-- delivers the oldest of the key, then the next, and removes the lane with its last message.
--
-- `due_at` says from when on a relay may take the lane: it is the end of a claim, of a back-off, or
-- "infinity" while the head is parked. `tail` grows whenever messages were added, so that a lane is
-- not removed on the ground of an older look.
create table outbox_lanes (
  key text not null,
  due_at timestamptz not null,
  claim uuid,
  tail bigint not null default 0,
  constraint outbox_lanes_pkey primary key (key)
);

create index outbox_lanes_due on outbox_lanes (due_at);

-- Keys that got messages which no relay has noticed yet. Lanes are touched by relays only: a
-- transaction that enqueues locks nothing that another transaction waits for.
create table outbox_arrivals (
  position bigint generated always as identity,
  key text not null,
  constraint outbox_arrivals_pkey primary key (position)
);

insert into outbox_lanes (key, due_at)
select key, max(case when parked_at is null then '-infinity'::timestamptz else 'infinity' end)
from outbox
group by key;

-- Also leads with the key so that no plan can look for the messages of one key among all others.
alter table outbox
  drop constraint outbox_pkey,
  add constraint outbox_pkey primary key (key, position),
  drop column next_attempt_at,
  drop column claim,
  drop column claimed_until;

drop index outbox_key;

create index outbox_parked on outbox (position) where parked_at is not null;

-- These tables turn over completely all the time: vacuum by count, not by share.
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table outbox_lanes
  set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table outbox_arrivals
  set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
