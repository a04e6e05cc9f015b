import type { Pool, Tx } from "@bourse/postgres";
import { type Evidence, NO_PAIR, type PairEvidence } from "@bourse/scoring";
import type { Outcome } from "../outcome.ts";
import type { Adjustment, ExplainedOutcome, KeptOutcome, RecordedOutcome } from "../store.ts";

/** What a requester's outcomes about an agent weighed so far, over all and at the capability of one that is to come. */
export async function selectPair(tx: Tx, outcome: Outcome): Promise<PairEvidence> {
  const { agentId, requesterId, capability } = outcome;
  const { rows } = await tx.query<{
    capability: string;
    success_micros: string;
    failure_micros: string;
    as_of_ms: string;
  }>({
    name: "pair-read",
    text: `select capability, success_micros, failure_micros, as_of_ms from pair_evidence
      where agent_id = $1 and requester_id = $2 and capability in ('', $3)`,
    values: [agentId, requesterId, capability],
  });
  const known = new Map<string, Evidence>(
    rows.map((row) => [
      row.capability,
      {
        successMicros: BigInt(row.success_micros),
        failureMicros: BigInt(row.failure_micros),
        asOfMs: BigInt(row.as_of_ms),
      },
    ]),
  );
  const all = known.get("") ?? NO_PAIR.all;
  known.delete("");
  return { all, byCapability: known };
}

/** Those of the agents of whose successes this requester has told, of such as count. */
export async function selectProviders(
  pool: Pool,
  requesterId: string,
  agentIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ agent_id: string }>({
    name: "providers-read",
    text: `select agent_id from pair_evidence
      where agent_id = any($2::text[]) and requester_id = $1 and capability = ''
        and success_micros > 0`,
    values: [requesterId, agentIds],
  });
  return new Set(rows.map((row) => row.agent_id));
}

/** Keeps an outcome; answers with the one of this id that was kept before, if there is one. */
export async function insertOutcome(
  tx: Tx,
  outcome: Outcome,
  kept: KeptOutcome & {
    readonly counted: boolean;
    readonly pair: PairEvidence;
    readonly now: Date;
  },
): Promise<KeptOutcome | undefined> {
  const pairs = kept.counted ? [["", kept.pair.all] as const, ...kept.pair.byCapability] : [];
  const { rows: written } = await tx.query({
    name: "outcome-insert",
    text: `with kept as (
        insert into outcomes (id, agent_id, requester_id, capability, success, counted, ended_at,
          recorded_at, content, answer, weight_ppm)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict on constraint outcomes_pkey do nothing
        returning agent_id, requester_id
      ), pairs as (
        insert into pair_evidence (agent_id, requester_id, capability, success_micros,
          failure_micros, as_of_ms)
        select agent_id, requester_id, pair.*
        from kept, unnest($12::text[], $13::bigint[], $14::bigint[], $15::bigint[]) as pair
        on conflict on constraint pair_evidence_pkey do update
        set success_micros = excluded.success_micros, failure_micros = excluded.failure_micros,
          as_of_ms = excluded.as_of_ms
      )
      select from kept`,
    values: [
      outcome.id,
      outcome.agentId,
      outcome.requesterId,
      outcome.capability,
      outcome.success,
      kept.counted,
      outcome.endedAt,
      kept.now,
      kept.content,
      kept.answer,
      outcome.weightPpm,
      pairs.map(([capability]) => capability),
      pairs.map(([, evidence]) => evidence.successMicros),
      pairs.map(([, evidence]) => evidence.failureMicros),
      pairs.map(([, evidence]) => evidence.asOfMs),
    ],
  });
  if (written.length === 1) return undefined;
  const { rows } = await tx.query<{ content: Buffer; answer: Buffer }>(
    "select content, answer from outcomes where id = $1",
    [outcome.id],
  );
  return rows[0];
}

/** Those of the outcomes that were recorded, by id. */
export async function selectOutcomes(
  pool: Pool,
  outcomeIds: readonly string[],
): Promise<ReadonlyMap<string, RecordedOutcome>> {
  const { rows } = await pool.query<{
    id: string;
    agent_id: string;
    success: boolean;
    counted: boolean;
    ended_at: Date;
    answer: Buffer;
  }>(
    `select id, agent_id, success, counted, ended_at, answer from outcomes
     where id = any($1::text[])`,
    [outcomeIds],
  );
  return new Map(
    rows.map(({ agent_id: agentId, ended_at: endedAt, ...row }) => [
      row.id,
      { ...row, agentId, endedAt },
    ]),
  );
}

/** Outcomes of an agent, the last recorded first, those behind `after`; "" is any capability. */
export async function selectEvidence(
  pool: Pool,
  { agentId, capability }: { readonly agentId: string; readonly capability: string },
  after: { readonly recordedAt: Date; readonly id: string } | undefined,
  limit: number,
): Promise<readonly ExplainedOutcome[]> {
  const values: unknown[] = [agentId, limit];
  const place = (value: unknown) => `$${values.push(value)}`;
  const named = capability === "" ? "" : `and outcomes.capability = ${place(capability)}`;
  const behind =
    after === undefined
      ? ""
      : `and (recorded_at, id) < (${place(after.recordedAt)}::timestamptz, ${place(after.id)})`;
  const { rows } = await pool.query<{
    id: string;
    agent_id: string;
    requester_id: string;
    capability: string;
    success: boolean;
    counted: boolean;
    weight_ppm: string;
    ended_at: Date;
    recorded_at: Date;
    answer: Buffer;
    pair_micros: string | null;
  }>(
    `select id, agent_id, requester_id, outcomes.capability, success, counted, weight_ppm, ended_at,
       recorded_at, answer, success_micros + failure_micros as pair_micros
     from outcomes left join pair_evidence using (agent_id, requester_id, capability)
     where agent_id = $1 ${named} ${behind}
     order by recorded_at desc, id desc
     limit $2`,
    values,
  );
  return rows.map(({ id, success, counted, answer, capability: at, ...row }) => ({
    ...{ id, success, counted, answer, capability: at },
    agentId: row.agent_id,
    requesterId: row.requester_id,
    weightPpm: BigInt(row.weight_ppm),
    endedAt: row.ended_at,
    recordedAt: row.recorded_at,
    pairMicros: row.pair_micros === null ? undefined : BigInt(row.pair_micros),
  }));
}

/** How a score was moved by hand, the latest first. */
export async function selectAdjustments(
  pool: Pool,
  agentId: string,
): Promise<readonly Pick<Adjustment, "deltaPpm" | "madeAt">[]> {
  const { rows } = await pool.query<{ delta_ppm: string; made_at: Date }>(
    `select delta_ppm, made_at from adjustments where agent_id = $1 order by version desc limit 100`,
    [agentId],
  );
  return rows.map((row) => ({ deltaPpm: BigInt(row.delta_ppm), madeAt: row.made_at }));
}

/** Keeps why a score was moved by hand. */
export async function insertAdjustment(tx: Tx, adjustment: Adjustment): Promise<void> {
  await tx.query(
    `insert into adjustments (agent_id, version, delta_ppm, reason, made_by, made_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      adjustment.agentId,
      adjustment.version,
      adjustment.deltaPpm,
      adjustment.reason,
      adjustment.madeBy,
      adjustment.madeAt,
    ],
  );
}
