import type { Pool, Tx } from "@bourse/postgres";
import type { Outcome } from "../outcome.ts";
import type { Adjustment, KeptOutcome, RecordedOutcome } from "../store.ts";

/** Keeps an outcome; answers with the one of this id that was kept before, if there is one. */
export async function insertOutcome(
  tx: Tx,
  outcome: Outcome,
  kept: KeptOutcome & { readonly counted: boolean; readonly now: Date },
): Promise<KeptOutcome | undefined> {
  const { rowCount } = await tx.query({
    name: "outcome-insert",
    text: `insert into outcomes (id, agent_id, requester_id, capability, success, counted, ended_at,
        recorded_at, content, answer)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      on conflict on constraint outcomes_pkey do nothing`,
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
    ],
  });
  if (rowCount === 1) return undefined;
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
