import type { Pool, Tx } from "@bourse/postgres";
import { initialReputation } from "@bourse/scoring";
import type { Agent } from "../agent.ts";
import { type ReputationJson, reputationFromJson } from "../reputation-json.ts";
import { type Standing, standingsOf, type View } from "../standing.ts";
import type { Place, Ranked } from "../store.ts";

/** What each view is ranked by. */
const KEYS = {
  RELIABILITY: "lower_ppm",
  SCORE: "score_ppm",
  CALIBRATION: "calibration_ppm",
  MULTIPLIER: "multiplier_ppm",
} as const satisfies Record<View, string>;

/** Writes the places of agents as they are at `now`. */
export async function rankAgents(tx: Tx, agents: readonly Agent[], now: Date): Promise<void> {
  if (agents.length === 0) return;
  const standings = agents.flatMap((agent) => standingsOf(agent, now));
  await writeStandings(
    tx,
    agents.map((agent) => agent.id),
    standings,
  );
}

/** Has the feed tell of agents that are as they were. */
export async function tellAgain(tx: Tx, agentIds: readonly string[]): Promise<void> {
  await tx.query({
    name: "agents-tell-again",
    text: "update agents set changed_in = pg_current_xact_id() where id = any($1::text[])",
    values: [agentIds],
  });
}

/** Agents have these places and no others. */
async function writeStandings(
  tx: Tx,
  agentIds: readonly string[],
  standings: readonly Standing[],
): Promise<void> {
  await tx.query({
    name: "standings-write",
    text: `with gone as (
        delete from standings
        where agent_id = any($1::text[]) and (agent_id, capability) not in (
          select * from unnest($2::text[], $3::text[])
        )
      )
      insert into standings (agent_id, capability, lower_ppm, score_ppm, calibration_ppm,
        multiplier_ppm, keyed_at)
      select *
      from unnest($2::text[], $3::text[], $4::integer[], $5::integer[], $6::integer[],
        $7::integer[], $8::timestamptz[])
      on conflict on constraint standings_pkey do update
      set lower_ppm = excluded.lower_ppm, score_ppm = excluded.score_ppm,
        calibration_ppm = excluded.calibration_ppm, multiplier_ppm = excluded.multiplier_ppm,
        keyed_at = excluded.keyed_at`,
    values: [
      agentIds,
      standings.map((one) => one.agentId),
      standings.map((one) => one.capability),
      standings.map((one) => one.lowerPpm),
      standings.map((one) => one.scorePpm),
      standings.map((one) => one.calibrationPpm),
      standings.map((one) => one.multiplierPpm),
      standings.map((one) => one.keyedAt),
    ],
  });
}

/** At most `limit` places behind `after`, the best first. */
export async function selectStandings(
  pool: Pool,
  { view, capability }: { readonly view: View; readonly capability: string },
  after: Place | undefined,
  limit: number,
): Promise<readonly Ranked[]> {
  const key = KEYS[view];
  // The index of the view has this order; a row is compared as it stands there.
  const order = view === "RELIABILITY" ? "(-lower_ppm)" : `(-${key}), (-lower_ppm)`;
  const values: unknown[] = [capability, limit];
  const place = (value: unknown) => `$${values.push(value)}`;
  const behind = (from: Place) => {
    const keys = view === "RELIABILITY" ? [from.lowerPpm] : [from.valuePpm, from.lowerPpm];
    const places = keys.map((ppm) => `-(${place(ppm)}::integer)`);
    return `and (${order}, agent_id) > (${places.join(", ")}, ${place(from.agentId)})`;
  };
  const { rows } = await pool.query<{
    agent_id: string;
    value: number;
    lower_ppm: number;
    keyed_at: Date;
    reputation: ReputationJson | null;
  }>(
    `select agent_id, ${key} as value, lower_ppm, keyed_at, agents.reputation
     from standings join agents on agents.id = agent_id
     where capability = $1
       and ($1 = '' or $1 = any(capabilities))
       ${after === undefined ? "" : behind(after)}
     order by ${order}, agent_id
     limit $2`,
    values,
  );
  return rows.map((row) => ({
    agentId: row.agent_id,
    valuePpm: BigInt(row.value),
    lowerPpm: BigInt(row.lower_ppm),
    keyedAt: row.keyed_at,
    reputation: row.reputation === null ? initialReputation() : reputationFromJson(row.reputation),
  }));
}

/** Registered agents with a record, by id, whose places are older than `before` or missing. */
export async function selectStale(
  tx: Tx,
  after: string,
  before: Date,
  limit: number,
): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: "standings-stale",
    text: `select agents.id
      from agents left join standings on agent_id = agents.id and capability = ''
      where agents.id > $1 and agents.reputation is not null and unregistered_at is null
        and (keyed_at is null or keyed_at < $2)
      order by agents.id
      limit $3`,
    values: [after, before, limit],
  });
  return rows.map(({ id }) => id);
}
