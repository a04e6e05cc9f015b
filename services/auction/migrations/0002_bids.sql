-- Bids that met the requirements when they came, with what was known of the agent then. They never
-- change: a ranking is computed from them by the policy that the task names.
create table bids (
  id text not null,
  task_id text not null,
  agent_id text not null,
  price_micros bigint not null,
  currency text not null,
  latency_ms bigint not null,
  success_ppm bigint not null,
  calibration_ppm bigint not null,
  multiplier_ppm bigint not null,
  sequence integer not null,
  automatic boolean not null,
  submitted_at timestamptz not null,
  constraint bids_pkey primary key (task_id, agent_id),
  constraint bids_id_key unique (id),
  constraint bids_sequence_key unique (task_id, sequence),
  constraint bids_task_id_fkey foreign key (task_id) references tasks (id),
  constraint bids_price check (price_micros > 0),
  constraint bids_latency check (latency_ms > 0)
);

-- The latest refused bid of each agent, for the explanation of an award.
create table refusals (
  task_id text not null,
  agent_id text not null,
  refusal json not null,
  submitted_at timestamptz not null,
  constraint refusals_pkey primary key (task_id, agent_id),
  constraint refusals_task_id_fkey foreign key (task_id) references tasks (id)
);

-- Agents that said that they will not bid.
create table declines (
  task_id text not null,
  agent_id text not null,
  reason text not null,
  declined_at timestamptz not null,
  constraint declines_pkey primary key (task_id, agent_id),
  constraint declines_task_id_fkey foreign key (task_id) references tasks (id)
);
