-- What the outcomes of one requester about an agent weigh together, before they are capped: in millionths, as of the
-- latest of them; '' is over all capabilities. What was recorded before this table stood counts as it did, uncapped,
-- until it has faded.
create table pair_evidence (
  agent_id text collate "C" not null,
  requester_id text collate "C" not null,
  capability text collate "C" not null,
  success_micros bigint not null,
  failure_micros bigint not null,
  as_of_ms bigint not null,
  constraint pair_evidence_pkey primary key (agent_id, requester_id, capability),
  constraint pair_evidence_agent_id_fkey foreign key (agent_id) references agents (id)
);

alter table outcomes add column weight_ppm bigint not null default 1000000;

-- The places of registered agents that have a record: one row over all ('') and one for each capability that they
-- worked at. Whatever it is ranked by, an index gives a page in its order. Evidence fades, so lower_ppm, the bound of
-- the reliability, is that of keyed_at, and is reckoned anew once it is a day old.
create table standings (
  agent_id text collate "C" not null,
  capability text collate "C" not null,
  lower_ppm integer not null,
  score_ppm integer not null,
  calibration_ppm integer not null,
  multiplier_ppm integer not null,
  keyed_at timestamptz not null,
  constraint standings_pkey primary key (agent_id, capability),
  constraint standings_agent_id_fkey foreign key (agent_id) references agents (id)
);

create index standings_reliability on standings (capability, (-lower_ppm), agent_id);
create index standings_score on standings
  (capability, (-score_ppm), (-lower_ppm), agent_id);
create index standings_calibration on standings
  (capability, (-calibration_ppm), (-lower_ppm), agent_id);
create index standings_multiplier on standings
  (capability, (-multiplier_ppm), (-lower_ppm), agent_id);
