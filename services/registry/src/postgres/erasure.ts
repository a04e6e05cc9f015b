import { forgetRequestsOf, type Tx, textArray } from "@bourse/postgres";
import type { Erasure, ErasureOrder, Removals, StepRefusal } from "../erasure.ts";

interface StepRow {
  readonly service: string;
  readonly completed_at: string | null;
  readonly tried_at: string | null;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface ErasureRow {
  readonly id: string;
  readonly alias: string;
  readonly requested_at: Date;
  readonly completed_at: Date | null;
  readonly steps: readonly StepRow[];
}

const SELECTED = `id, alias, requested_at, completed_at,
  (
    select json_agg(step order by nth)
    from (
      select nth, service, completed_at, tried_at, reason, metadata
      from erasure_steps
      where erasure_id = erasures.id
    ) step
  ) as steps`;

function toErasure(row: ErasureRow): Erasure {
  return {
    id: row.id,
    alias: row.alias,
    requestedAt: row.requested_at,
    completedAt: row.completed_at ?? undefined,
    steps: row.steps.map(({ service, completed_at, tried_at, reason, metadata }) => ({
      service,
      completedAt: completed_at === null ? undefined : new Date(completed_at),
      refusal:
        completed_at !== null || tried_at === null
          ? undefined
          : { reason, metadata, at: new Date(tried_at) },
    })),
  };
}

/**
 * Those of the ids that were erased, and those that are aliases. Each is looked up by its key: the limits keep the
 * planner from reading the tables whole.
 */
export async function selectErased(
  tx: Tx,
  agentIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>({
    name: "agents-erased",
    text: `select asked.id
      from unnest($1::text[]) as asked (id),
        lateral (
          select from erased_ids
          where digest = sha256((select salt from erasure_salt) || convert_to(asked.id, 'UTF8'))
          limit 1
        ) as erased
      union all
      select asked.id
      from unnest($1::text[]) as asked (id),
        lateral (
          select from agents where agents.id = asked.id and erased_at is not null limit 1
        ) as alias
      where asked.id like 'erased-%'`,
    values: [textArray(agentIds)],
  });
  return new Set(rows.map((row) => row.id));
}

/** The erasure of an agent that is under way. */
export async function selectPendingErasure(tx: Tx, agentId: string): Promise<Erasure | undefined> {
  const { rows } = await tx.query<ErasureRow>(
    `select ${SELECTED}
     from erasures
     where completed_at is null and id in (
       select (payload->>'erasureId')::uuid from outbox where key = $1 and kind = 'erase'
     )
     order by requested_at
     limit 1`,
    [agentId],
  );
  return rows.map(toErasure)[0];
}

/** One erasure. */
export async function selectErasure(tx: Tx, erasureId: string): Promise<Erasure | undefined> {
  const { rows } = await tx.query<ErasureRow>(`select ${SELECTED} from erasures where id = $1`, [
    erasureId,
  ]);
  return rows.map(toErasure)[0];
}

/** A page of erasures, the newest first, those behind `after`. */
export async function selectErasures(
  tx: Tx,
  filter: { readonly pendingOnly: boolean },
  after: { readonly requestedAt: Date; readonly id: string } | undefined,
  limit: number,
): Promise<readonly Erasure[]> {
  const { rows } = await tx.query<ErasureRow>(
    `select ${SELECTED}
     from erasures
     where (not $1 or completed_at is null)
       and ($2::timestamptz is null or (requested_at, id) < ($2, $3::uuid))
     order by requested_at desc, id desc
     limit $4`,
    [filter.pendingOnly, after?.requestedAt ?? null, after?.id ?? null, limit],
  );
  return rows.map(toErasure);
}

/** Writes an erasure down, blanks what the agent said of itself and forgets what it was answered. */
export async function insertErasure(
  tx: Tx,
  erasure: Erasure,
  { agentId }: Pick<ErasureOrder, "agentId">,
): Promise<void> {
  await tx.query(
    `insert into erased_ids (digest)
     select sha256(salt || convert_to($1, 'UTF8')) from erasure_salt
     on conflict on constraint erased_ids_pkey do nothing`,
    [agentId],
  );
  await tx.query("insert into erasures (id, alias, requested_at) values ($1, $2, $3)", [
    erasure.id,
    erasure.alias,
    erasure.requestedAt,
  ]);
  await tx.query(
    `insert into erasure_steps (erasure_id, nth, service)
     select $1, nth, service from unnest($2::text[]) with ordinality as step (service, nth)`,
    [erasure.id, erasure.steps.map((step) => step.service)],
  );
  await tx.query(
    `update agents
     set profile = '', capabilities = '{}', metadata = '{}', declared_state = 'OFFLINE',
       lease_ms = null, version = version + 1, updated_at = $2,
       unregistered_at = coalesce(unregistered_at, $2), erased_at = $2,
       changed_in = pg_current_xact_id()
     where id = $1`,
    [agentId, erasure.requestedAt],
  );
  await tx.query("delete from standings where agent_id = $1", [agentId]);
  await tx.query("update adjustments set reason = '' where agent_id = $1", [agentId]);
  await forgetRequestsOf(tx, agentId);
}

/** Puts the alias in the place of the id, in every table of the registry. */
export async function renameAgent(tx: Tx, { agentId, alias }: ErasureOrder): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into agents (id, profile, capabilities, metadata, max_concurrent, declared_state,
       declared_at, lease_ms, reputation, version, created_at, updated_at, unregistered_at,
       erased_at)
     select $2, profile, capabilities, metadata, max_concurrent, declared_state, declared_at,
       lease_ms, reputation, version, created_at, updated_at, unregistered_at, erased_at
     from agents
     where id = $1
     on conflict on constraint agents_pkey do nothing`,
    [agentId, alias],
  );
  if (rowCount === 1) {
    // The digest of what was told holds the id; with the alias nothing is told again.
    await tx.query("update outcomes set agent_id = $2, content = '' where agent_id = $1", [
      agentId,
      alias,
    ]);
    await tx.query("update pair_evidence set agent_id = $2 where agent_id = $1", [agentId, alias]);
    await tx.query("update adjustments set agent_id = $2 where agent_id = $1", [agentId, alias]);
    await tx.query(
      `with gone as (delete from agents where id = $1 returning changed_in)
       update agents_removed
       set rows = rows + 1, changed_in = greatest(agents_removed.changed_in, gone.changed_in)
       from gone`,
      [agentId],
    );
  }
  await tx.query("update pair_evidence set requester_id = $2 where requester_id = $1", [
    agentId,
    alias,
  ]);
  await tx.query("update outcomes set requester_id = $2, content = '' where requester_id = $1", [
    agentId,
    alias,
  ]);
  await forgetRequestsOf(tx, agentId);
}

/** Writes down that a service is done; true when the erasure is complete with it. */
export async function completeStep(
  tx: Tx,
  erasureId: string,
  service: string,
  now: Date,
): Promise<boolean> {
  await tx.query(
    `update erasure_steps
     set completed_at = $3, tried_at = null, reason = '', metadata = '{}'
     where erasure_id = $1 and service = $2 and completed_at is null`,
    [erasureId, service, now],
  );
  const { rowCount } = await tx.query(
    `update erasures
     set completed_at = $2
     where id = $1 and completed_at is null and not exists (
       select from erasure_steps where erasure_id = $1 and completed_at is null
     )`,
    [erasureId, now],
  );
  return rowCount === 1;
}

/** Writes down why a service could not erase. */
export async function recordStepRefusal(
  tx: Tx,
  erasureId: string,
  service: string,
  refusal: StepRefusal,
): Promise<void> {
  await tx.query(
    `update erasure_steps
     set tried_at = $3, reason = $4, metadata = $5
     where erasure_id = $1 and service = $2 and completed_at is null`,
    [erasureId, service, refusal.at, refusal.reason, JSON.stringify(refusal.metadata)],
  );
}

/** What was taken away from followers of the agents. */
export async function selectRemovals(tx: Tx): Promise<Removals> {
  const { rows } = await tx.query<{ rows: string; changed_in: string }>({
    name: "agents-removed",
    text: "select rows, changed_in from agents_removed",
  });
  const [row] = rows;
  return { rows: BigInt(row?.rows ?? 0), changedIn: BigInt(row?.changed_in ?? 0) };
}
