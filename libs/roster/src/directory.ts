import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { lapsed, lapseMs } from "./lease.ts";

/** Agents by id and by capability, kept current by `put` and `drop`. */
export interface Directory {
  readonly size: number;
  get(agentId: string): Agent | undefined;
  ids(): Iterable<string>;
  agents(): Iterable<Agent>;
  capabilities(): Iterable<string>;
  countOf(capability: string): number;
  withCapability(capability: string): Iterable<Agent>;
  /** Enters an agent or replaces it; answers with the one it replaced. */
  put(agent: Agent): Agent | undefined;
  /** Takes an agent out and answers with it. */
  drop(agentId: string): Agent | undefined;
}

/** What is kept of an agent; the same entry stands in every index, so that a change of the agent is one assignment. */
interface Entry {
  agent: Agent;
  lapseMs: number;
  /** As it is once its lease has lapsed; made when it is first read so, and kept: it may be read often. */
  lapsed: Agent | undefined;
}

/** An empty directory; `now` decides, when an agent is read, whether its lease has lapsed. */
export function createDirectory(now: () => Date): Directory {
  const entries = new Map<string, Entry>();
  const index = new Map<string, Set<Entry>>();

  function* currentOf(some: Iterable<Entry>): Generator<Agent, void, undefined> {
    const nowMs = now().getTime();
    for (const entry of some) yield current(entry, nowMs);
  }

  function enter(entry: Entry, capability: string): void {
    const holders = index.get(capability);
    if (holders === undefined) index.set(capability, new Set([entry]));
    else holders.add(entry);
  }

  function leave(entry: Entry, capability: string): void {
    const holders = index.get(capability);
    holders?.delete(entry);
    if (holders?.size === 0) index.delete(capability);
  }

  return {
    get size() {
      return entries.size;
    },
    get(agentId) {
      const entry = entries.get(agentId);
      return entry === undefined ? undefined : current(entry, now().getTime());
    },
    ids: () => entries.keys(),
    agents: () => currentOf(entries.values()),
    capabilities: () => index.keys(),
    countOf: (capability) => index.get(normal(capability))?.size ?? 0,
    withCapability: (capability) => currentOf(index.get(normal(capability)) ?? []),
    put(agent) {
      const entry = entries.get(agent.agentId);
      if (entry === undefined) {
        const made = { agent, lapseMs: lapseMs(agent), lapsed: undefined };
        entries.set(agent.agentId, made);
        for (const capability of capabilitiesOf(agent)) enter(made, capability);
        return undefined;
      }
      const before = entry.agent;
      const had = new Set(capabilitiesOf(before));
      const has = new Set(capabilitiesOf(agent));
      for (const capability of had) if (!has.has(capability)) leave(entry, capability);
      for (const capability of has) if (!had.has(capability)) enter(entry, capability);
      entry.agent = agent;
      entry.lapseMs = lapseMs(agent);
      entry.lapsed = undefined;
      return before;
    },
    drop(agentId) {
      const entry = entries.get(agentId);
      if (entry === undefined) return undefined;
      entries.delete(agentId);
      for (const capability of capabilitiesOf(entry.agent)) leave(entry, capability);
      return entry.agent;
    },
  };
}

function current(entry: Entry, nowMs: number): Agent {
  if (entry.lapseMs > nowMs) return entry.agent;
  entry.lapsed ??= lapsed(entry.agent);
  return entry.lapsed;
}

function capabilitiesOf(agent: Agent): readonly string[] {
  return agent.profile?.capabilities ?? [];
}

function normal(capability: string): string {
  return capability.trim().toLowerCase();
}
