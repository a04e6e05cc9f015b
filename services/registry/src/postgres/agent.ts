import type { Tx } from "@bourse/postgres";
import type { FeedRange, FeedRow } from "@bourse/postgres/feed";
import { initialReputation, type Reputation } from "@bourse/scoring";
import type { Agent, Profile } from "../agent.ts";
import type { Declaration, State } from "../availability.ts";
import { type ReputationJson, reputationFromJson, reputationToJson } from "../reputation-json.ts";
import type { AgentFilter } from "../store.ts";

interface AgentRow {
  readonly id: string;
  readonly profile: Buffer;
  readonly max_concurrent: number;
  readonly declared_state: State;
  readonly declared_at: Date;
  readonly lease_ms: string | null;
  readonly reputation: ReputationJson | null;
  readonly version: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly unregistered_at: Date | null;
}

const COLUMNS = `id, profile, max_concurrent, declared_state, declared_at, lease_ms, reputation,
  version, created_at, updated_at, unregistered_at`;

function toAgent(row: AgentRow): Agent {
  return {
    id: row.id,
    profile: { maxConcurrent: row.max_concurrent, encoded: row.profile },
    declaredState: row.declared_state,
    declaredAt: row.declared_at,
    leaseMs: row.lease_ms === null ? undefined : Number(row.lease_ms),
    reputation: row.reputation === null ? initialReputation() : reputationFromJson(row.reputation),
    version: BigInt(row.version),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    unregisteredAt: row.unregistered_at ?? undefined,
  };
}

/** Agents by id; with `lock` nobody else changes them until the transaction ends. */
export async function selectAgents(
  tx: Tx,
  agentIds: readonly string[],
  options: { readonly lock: boolean },
): Promise<ReadonlyMap<string, Agent>> {
  // Locked in one order, so that two batches wait for each other and never for ever.
  const { rows } = await tx.query<AgentRow>({
    name: options.lock ? "agents-lock" : "agents-read",
    text: `select ${COLUMNS} from agents where id = any($1::text[])
      ${options.lock ? "order by id for update" : ""}`,
    values: [agentIds],
  });
  return new Map(rows.map((row) => [row.id, toAgent(row)]));
}

/** What a heartbeat has to know of an agent. */
export async function selectDeclaration(tx: Tx, agentId: string): Promise<Declaration | undefined> {
  const { rows } = await tx.query<AgentRow>({
    name: "agent-declaration",
    text: `select declared_state, lease_ms, max_concurrent, unregistered_at
      from agents where id = $1`,
    values: [agentId],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    declaredState: row.declared_state,
    leaseMs: row.lease_ms === null ? undefined : Number(row.lease_ms),
    maxConcurrent: row.max_concurrent,
    unregisteredAt: row.unregistered_at ?? undefined,
  };
}

/** A page of agents by id. */
export async function selectPage(
  tx: Tx,
  filter: AgentFilter,
  after: string,
  limit: number,
): Promise<readonly Agent[]> {
  const values: unknown[] = [after, limit];
  const place = (value: unknown) => `$${values.push(value)}`;
  const conditions = ["id > $1"];
  if (!filter.includeUnregistered) conditions.push("unregistered_at is null");
  if (filter.capabilities.length > 0) {
    conditions.push(`capabilities @> ${place(filter.capabilities)}::text[]`);
  }
  if (filter.declaredState !== undefined) {
    conditions.push(`declared_state = ${place(filter.declaredState)}`);
  }
  if (Object.keys(filter.metadata).length > 0) {
    conditions.push(`metadata @> ${place(JSON.stringify(filter.metadata))}::jsonb`);
  }
  const { rows } = await tx.query<AgentRow>(
    `select ${COLUMNS} from agents where ${conditions.join(" and ")} order by id limit $2`,
    values,
  );
  return rows.map(toAgent);
}

/** A page of a feed; when it starts at nothing, old tombstones are left out. */
export async function selectChanges(
  tx: Tx,
  range: FeedRange,
  since: Date,
): Promise<readonly FeedRow<Agent>[]> {
  const { from, until, after, limit } = range;
  const { rows } = await tx.query<AgentRow & { changed_in: string }>({
    name: from === 0n ? "agents-all" : "agents-changed",
    text: `select ${COLUMNS}, changed_in
      from agents
      where changed_in >= $1::xid8 and changed_in < $2::xid8
        and (changed_in, id) > ($3::xid8, $4)
        ${from === 0n ? "and (unregistered_at is null or unregistered_at >= $6)" : ""}
      order by changed_in, id
      limit $5`,
    values: [
      from,
      until,
      after?.changedIn ?? 0n,
      after?.id ?? "",
      limit,
      ...(from === 0n ? [since] : []),
    ],
  });
  return rows.map((row) => ({
    changedIn: BigInt(row.changed_in),
    id: row.id,
    value: toAgent(row),
  }));
}

/** Writes new agents; answers with the ids of those that were not there. */
export async function insertAgents(
  tx: Tx,
  agents: readonly Agent<Profile>[],
): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>({
    name: "agents-insert",
    text: `insert into agents (${COLUMNS}, capabilities, metadata)
      select ${COLUMNS}, string_to_array(capabilities, ' '), metadata
      from ${UNNEST}
      order by id
      on conflict on constraint agents_pkey do nothing
      returning id`,
    values: columnsOf(agents),
  });
  return new Set(rows.map((row) => row.id));
}

/** Writes known agents whole. */
export async function replaceAgents(tx: Tx, agents: readonly Agent<Profile>[]): Promise<void> {
  await tx.query({
    name: "agents-replace",
    text: `update agents
      set profile = new.profile, max_concurrent = new.max_concurrent,
        declared_state = new.declared_state, declared_at = new.declared_at,
        lease_ms = new.lease_ms, reputation = new.reputation, version = new.version,
        updated_at = new.updated_at, unregistered_at = new.unregistered_at,
        capabilities = string_to_array(new.capabilities, ' '), metadata = new.metadata,
        changed_in = pg_current_xact_id()
      from ${UNNEST}
      where agents.id = new.id`,
    values: columnsOf(agents),
  });
}

/** Writes all of a known agent but its profile. */
export async function updateAgent(tx: Tx, agent: Agent): Promise<void> {
  await tx.query({
    name: "agent-update",
    text: `update agents
      set declared_state = $2, declared_at = $3, lease_ms = $4, reputation = $5, version = $6,
        updated_at = $7, unregistered_at = $8, changed_in = pg_current_xact_id()
      where id = $1`,
    values: [
      agent.id,
      agent.declaredState,
      agent.declaredAt,
      agent.leaseMs ?? null,
      reputationColumn(agent.reputation),
      agent.version,
      agent.updatedAt,
      agent.unregisteredAt ?? null,
    ],
  });
}

const UNNEST = `unnest($1::text[], $2::bytea[], $3::integer[], $4::text[], $5::timestamptz[],
    $6::bigint[], $7::jsonb[], $8::bigint[], $9::timestamptz[], $10::timestamptz[],
    $11::timestamptz[], $12::text[], $13::jsonb[])
  as new (${COLUMNS}, capabilities, metadata)`;

/** Names of capabilities hold no blank, so a list of them travels as one text: unnest would flatten nested arrays. */
function columnsOf(agents: readonly Agent<Profile>[]): unknown[] {
  return [
    agents.map((agent) => agent.id),
    agents.map((agent) => Buffer.from(agent.profile.encoded)),
    agents.map((agent) => agent.profile.maxConcurrent),
    agents.map((agent) => agent.declaredState),
    agents.map((agent) => agent.declaredAt),
    agents.map((agent) => agent.leaseMs ?? null),
    agents.map((agent) => reputationColumn(agent.reputation)),
    agents.map((agent) => agent.version),
    agents.map((agent) => agent.createdAt),
    agents.map((agent) => agent.updatedAt),
    agents.map((agent) => agent.unregisteredAt ?? null),
    agents.map((agent) => agent.profile.capabilities.join(" ")),
    agents.map((agent) => JSON.stringify(agent.profile.metadata)),
  ];
}

/** Null until the first outcome or adjustment, which most agents of a large market have not had. */
function reputationColumn(reputation: Reputation): string | null {
  const isInitial =
    reputation.completed === 0n && reputation.failed === 0n && reputation.scorePpm === 0n;
  return isInitial ? null : JSON.stringify(reputationToJson(reputation));
}
