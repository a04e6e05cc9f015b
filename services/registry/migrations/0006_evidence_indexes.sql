-- outside a transaction
create index concurrently if not exists outcomes_agent_capability
  on outcomes (agent_id, capability, recorded_at, id);
-- Those whose places are reckoned anew each day.
create index concurrently if not exists agents_judged
  on agents (id) where reputation is not null and unregistered_at is null;
