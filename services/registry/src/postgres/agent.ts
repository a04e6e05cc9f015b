import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  type Tx,
  textArray,
  timeArray,
} from "@bourse/postgres";
import { initialReputation, type Reputation } from "@bourse/scoring";
import type { Agent, Profile, StoredProfile } from "../agent.ts";
import type { Declaration, State } from "../availability.ts";
import { isWhole } from "../mutation.ts";
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

/** What is told of an agent as a whole. */
const TOLD = `profile, max_concurrent, declared_state, declared_at, lease_ms, capabilities, metadata,
  version, updated_at, unregistered_at`;

/**
 * What `valuesOf` gives, as lists and by name. Names of capabilities hold no blank, so a list of them travels as one
 * text.
 */
const LISTS = `$1::text[], $2::bytea[], $3::integer[], $4::text[], $5::bigint[], $6::text[], $7::text[],
  $8::bigint[]`;
const LISTED = `id, profile, max_concurrent, declared_state, lease_ms, names, metadata, version`;
const CAPABILITIES = "string_to_array(names, ' ')";
const METADATA = "told.metadata::jsonb";

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

/** How agents are read: locked in one order, so that two batches wait for each other and never for ever. */
const READ = {
  read: "",
  lock: "order by id for update",
  "lock-free": "order by id for update skip locked",
} as const;

/**
 * Agents by id. With `lock` nobody else changes them until the transaction ends; with `lock-free` those that somebody
 * else has locked are left out.
 */
export async function selectAgents(
  tx: Tx,
  agentIds: readonly string[],
  how: keyof typeof READ = "read",
): Promise<ReadonlyMap<string, Agent>> {
  const { rows } = await tx.query<AgentRow>({
    name: `agents-${how}`,
    text: `select ${COLUMNS} from agents where id = any($1::text[]) ${READ[how]}`,
    values: [textArray(agentIds)],
  });
  return new Map(rows.map((row) => [row.id, toAgent(row)]));
}

/** Those of the ids that there are agents of, tombstones included. */
export async function selectKnown(
  tx: Tx,
  agentIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>({
    name: "agents-known",
    text: "select id from agents where id = any($1::text[])",
    values: [textArray(agentIds)],
  });
  return new Set(rows.map(({ id }) => id));
}

/** What a heartbeat has to know of an agent. */
export async function selectDeclarations(
  tx: Tx,
  agentIds: readonly string[],
): Promise<ReadonlyMap<string, Declaration>> {
  const { rows } = await tx.query<AgentRow>({
    name: "agent-declarations",
    text: `select id, declared_state, lease_ms, max_concurrent, unregistered_at
      from agents where id = any($1)`,
    values: [agentIds],
  });
  const declarations = rows.map((row) => {
    const { declared_state: declaredState, max_concurrent: maxConcurrent } = row;
    const leaseMs = row.lease_ms === null ? undefined : Number(row.lease_ms);
    const unregisteredAt = row.unregistered_at ?? undefined;
    const declaration: Declaration = { declaredState, leaseMs, maxConcurrent, unregisteredAt };
    return [row.id, declaration] as const;
  });
  return new Map(declarations);
}

/** What the registered of these agents can do. */
export async function selectOffers(
  tx: Tx,
  agentIds: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  if (agentIds.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; capabilities: string[] }>({
    name: "agents-offers",
    text: `select id, capabilities from agents
      where id = any($1::text[]) and unregistered_at is null`,
    values: [agentIds],
  });
  return new Map(rows.map(({ id, capabilities }) => [id, new Set(capabilities)]));
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

/**
 * Writes agents that were registered at `now`, in the order of their ids, so that two batches wait for each other and
 * never for ever. Violates `agents_pkey` when another transaction has registered one of them meanwhile.
 */
export async function insertAgents(
  tx: Tx,
  agents: readonly Agent<Profile>[],
  now: Date,
): Promise<void> {
  if (agents.length === 0) return;
  const sorted = agents.toSorted(({ id: a }, { id: b }) => (a < b ? -1 : 1));
  await tx.query({
    name: "agents-insert",
    text: `insert into agents (id, ${TOLD}, created_at)
      select id, profile, max_concurrent, declared_state, at, lease_ms, ${CAPABILITIES}, ${METADATA},
        version, at, case when is_gone then at end, at
      from unnest(${LISTS}, $10::boolean[]) with ordinality as told (${LISTED}, is_gone, nth),
        (select $9::timestamptz) as now (at)
      order by nth`,
    values: [
      ...valuesOf(sorted),
      now,
      booleanArray(sorted.map(({ unregisteredAt }) => unregisteredAt !== undefined)),
    ],
  });
}

/**
 * Writes known agents, all locked, but for their reputation, which stays. A profile that is not whole stays as it was.
 */
export async function replaceAgents(
  tx: Tx,
  agents: readonly Agent<StoredProfile | Profile>[],
): Promise<void> {
  if (agents.length === 0) return;
  await tx.query({
    name: "agents-replace",
    text: `update agents
      set (${TOLD}) = row(coalesce(told.profile, agents.profile), told.max_concurrent,
          told.declared_state, told.declared_at, told.lease_ms,
          case when told.profile is null then agents.capabilities else ${CAPABILITIES} end,
          case when told.profile is null then agents.metadata else ${METADATA} end,
          told.version, told.updated_at, told.unregistered_at),
        changed_in = pg_current_xact_id()
      from unnest(${LISTS}, $9::timestamptz[], $10::timestamptz[], $11::timestamptz[])
        as told (${LISTED}, declared_at, updated_at, unregistered_at)
      where agents.id = told.id`,
    values: [
      ...valuesOf(agents),
      timeArray(agents.map((agent) => agent.declaredAt)),
      timeArray(agents.map((agent) => agent.updatedAt)),
      timeArray(agents.map((agent) => agent.unregisteredAt)),
    ],
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

/** As LISTS takes it. A profile that is not whole is null. */
function valuesOf(agents: readonly Agent<StoredProfile | Profile>[]): unknown[] {
  const whole = agents.map(({ profile }) => (isWhole(profile) ? profile : undefined));
  return [
    textArray(agents.map((agent) => agent.id)),
    byteaArray(whole.map((profile) => profile?.encoded)),
    integerArray(agents.map(({ profile }) => profile.maxConcurrent)),
    textArray(agents.map((agent) => agent.declaredState)),
    bigintArray(agents.map(({ leaseMs }) => (leaseMs === undefined ? undefined : BigInt(leaseMs)))),
    textArray(whole.map((profile) => profile?.capabilities.join(" ") ?? "")),
    textArray(whole.map((profile) => JSON.stringify(profile?.metadata ?? null))),
    bigintArray(agents.map((agent) => agent.version)),
  ];
}

/** Null until the first outcome or adjustment, which most agents of a large market have not had. */
function reputationColumn(reputation: Reputation): string | null {
  const isInitial =
    reputation.completed === 0n && reputation.failed === 0n && reputation.scorePpm === 0n;
  return isInitial ? null : JSON.stringify(reputationToJson(reputation));
}
