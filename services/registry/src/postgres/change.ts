import type { Pool } from "@bourse/postgres";
import { type BinaryRow, copyOut, literal } from "@bourse/postgres/copy-out";
import type { FeedRange, FeedRow } from "@bourse/postgres/feed";
import { initialReputation } from "@bourse/scoring";
import type { Agent } from "../agent.ts";
import type { State } from "../availability.ts";
import { type ReputationJson, reputationFromJson } from "../reputation-json.ts";

/** A page of a feed; when it starts at nothing, old tombstones are left out. */
export function selectChanges(
  pool: Pool,
  { from, until, after, limit }: FeedRange,
  since: Date,
): Promise<readonly FeedRow<Agent>[]> {
  const isRecent = `and (unregistered_at is null or unregistered_at >= ${literal(since)})`;
  const select = `select changed_in, id, profile, max_concurrent, declared_state, declared_at, lease_ms,
      reputation, version, created_at, updated_at, unregistered_at
    from agents
    where (changed_in, id) > (${literal(String(after.changedIn))}::xid8, ${literal(after.id)})
      and changed_in < ${literal(String(until))}::xid8 ${from === 0n ? isRecent : ""}
    order by changed_in, id
    limit ${literal(limit)}`;
  return copyOut(pool, select, readChange);
}

/** Reads the columns in the order in which they are selected. */
function readChange(row: BinaryRow): FeedRow<Agent> {
  const changedIn = row.xid8();
  const id = row.text();
  const encoded = row.bytea();
  const profile = { maxConcurrent: row.integer(), encoded };
  const value: Agent = {
    id,
    profile,
    declaredState: row.text() as State,
    declaredAt: row.timestamptz(),
    leaseMs: row.isNull() ? undefined : Number(row.bigint()),
    reputation: row.isNull()
      ? initialReputation()
      : reputationFromJson(row.jsonb() as ReputationJson),
    version: row.bigint(),
    createdAt: row.timestamptz(),
    updatedAt: row.timestamptz(),
    unregisteredAt: row.isNull() ? undefined : row.timestamptz(),
  };
  return { changedIn, id, value };
}
