import { fnv1a } from "../fnv1a.ts";

/** Agents are spread over this many slots of a cluster. Changing it loses what is in Redis, which agents say again. */
export const SHARDS = 8;

/** Names the keys. */
export type Keys = ReturnType<typeof keysOf>;

/** The keys of a shard share a hash tag, so that a script may touch them together. */
export function keysOf(prefix: string) {
  const tag = (shard: number) => `${prefix}:{${prefix}-${shard}}`;
  const presenceIn = (shard: number, agentId: string) => `${tag(shard)}:agent:${agentId}`;
  return {
    presence: (agentId: string) => presenceIn(shardOf(agentId), agentId),
    /** Of agents of one shard. */
    presences: (shard: number, agentIds: readonly string[]) =>
      agentIds.map((agentId) => presenceIn(shard, agentId)),
    slots: (agentId: string) => `${tag(shardOf(agentId))}:slots:${agentId}`,
    slotHolders: (agentId: string) => `${tag(shardOf(agentId))}:slot-holders:${agentId}`,
    leases: (shard: number) => `${tag(shard)}:leases`,
    reports: (shard: number) => `${tag(shard)}:reports`,
    changes: (shard: number) => `${tag(shard)}:changes`,
    slotEnds: (shard: number) => `${tag(shard)}:slot-ends`,
    clock: (shard: number) => `${tag(shard)}:clock`,
    looked: (shard: number) => `${tag(shard)}:looked`,
    breakers: (agentId: string) => `${tag(shardOf(agentId))}:breakers:${agentId}`,
    breakerChanges: (shard: number) => `${tag(shard)}:breaker-changes`,
    breakerClock: (shard: number) => `${tag(shard)}:breaker-clock`,
  };
}

/** The shard of an agent, 0 to below SHARDS. */
export function shardOf(agentId: string): number {
  return fnv1a(agentId) % SHARDS;
}
