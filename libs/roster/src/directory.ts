import { type Agent, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { briefOf } from "./brief.ts";
import { Ids } from "./ids.ts";
import { LAPSED_SUFFIX, lapsed } from "./lease.ts";
import { createLeases, type Leases } from "./leases.ts";
import { STALE_SUFFIX, stale } from "./stale.ts";
import { Texts } from "./texts.ts";
import { apart } from "./wire.ts";

/** An agent as it comes: its message in binary form, a byte a character; decoded when it is looked at. */
export class Told {
  readonly message: string;
  readonly brief;
  #agent: Agent | undefined;

  constructor(message: string) {
    this.message = message;
    this.brief = briefOf(message);
  }

  get agent(): Agent {
    this.#agent ??= decode(this.message);
    return this.#agent;
  }
}

/** Under which capabilities an agent is found; false: nobody is. */
export type Listed = false | ((agent: Agent) => readonly string[]);

/** Where an agent is kept, and its message as it was kept before. */
export interface Replaced {
  readonly slot: number;
  readonly agentId: string;
  /** A byte per character; undefined for a newcomer. */
  readonly before: string | undefined;
}

/** Agents by id, by slot and by capability, kept current by `put` and `drop`. */
export interface Directory {
  readonly size: number;
  get(agentId: string): Agent | undefined;
  ids(): Iterable<string>;
  agents(): Iterable<Agent>;
  slotOf(agentId: string): number | undefined;
  /** The message of an agent as it was entered, whatever has become of its lease. */
  entered(agentId: string): string | undefined;
  messageAt(slot: number): string;
  withCapability(capability: string): Iterable<Agent>;
  /** Enters an agent or replaces it. */
  put(told: Told): Replaced;
  /** Takes an agent out; undefined when there is none. */
  drop(agentId: string): (Replaced & { readonly before: string }) | undefined;
}

/** An agent that is kept decoded, and as it is once its lease has lapsed, made when it is first read so. */
interface Decoded {
  readonly agent: Agent;
  lapsed: Agent | undefined;
}

/** How many agents are kept decoded that were read of late. */
const RECENT_MAX = 500;

/**
 * An empty directory. Messages are kept in binary form, as texts of one byte a character, which take no more than their
 * bytes; an agent is decoded when it is read. `listed` says under which capabilities an agent is found; who is found
 * under any is kept decoded. `now` and `leases` decide, when an agent is read, whether its lease has lapsed.
 */
export function createDirectory(
  now: () => Date,
  listed: Listed = capabilitiesOf,
  leases: Leases = createLeases(),
): Directory {
  const slots = new Ids();
  const messages = new Texts();
  const free: number[] = [];
  const kept = new Map<number, Decoded>();
  const recent = new Map<number, Decoded>();
  const index = new Map<string, Set<number>>();

  function decoded(slot: number): Decoded {
    const known = kept.get(slot) ?? recent.get(slot);
    if (known !== undefined) return known;
    const made = { agent: decode(messages.get(slot)), lapsed: undefined };
    recent.set(slot, made);
    if (recent.size > RECENT_MAX) {
      const [oldest] = recent.keys();
      if (oldest !== undefined) recent.delete(oldest);
    }
    return made;
  }

  function current(slot: number, nowMs: number): Agent {
    const entry = decoded(slot);
    const hasLapsed = leases.hasLapsed(slot, nowMs);
    if (hasLapsed) entry.lapsed ??= lapsed(entry.agent);
    const agent = (hasLapsed ? entry.lapsed : undefined) ?? entry.agent;
    return leases.heldSinceMs === undefined ? agent : stale(agent);
  }

  function* currentOf(some: Iterable<number>): Generator<Agent, void, undefined> {
    const nowMs = now().getTime();
    for (const slot of some) yield current(slot, nowMs);
  }

  function forget(slot: number): void {
    recent.delete(slot);
    const entry = kept.get(slot);
    if (entry === undefined) return;
    kept.delete(slot);
    for (const capability of capabilitiesIn(entry)) {
      const holders = index.get(capability);
      holders?.delete(slot);
      if (holders?.size === 0) index.delete(capability);
    }
  }

  function capabilitiesIn(read: { readonly agent: Agent }): readonly string[] {
    return listed === false ? [] : listed(read.agent);
  }

  function list(slot: number, told: Told): void {
    const capabilities = capabilitiesIn(told);
    if (capabilities.length > 0) kept.set(slot, { agent: told.agent, lapsed: undefined });
    for (const capability of capabilities) {
      const holders = index.get(capability);
      if (holders === undefined) index.set(capability, new Set([slot]));
      else holders.add(slot);
    }
  }

  return {
    get size() {
      return slots.size;
    },
    get(agentId) {
      const slot = slots.slotOf(agentId);
      return slot === undefined ? undefined : current(slot, now().getTime());
    },
    ids: () => slots.all(),
    agents: () => currentOf(slots.slots()),
    slotOf: (agentId) => slots.slotOf(agentId),
    entered(agentId) {
      const slot = slots.slotOf(agentId);
      return slot === undefined ? undefined : messages.get(slot);
    },
    messageAt(slot) {
      let message = messages.get(slot);
      const endMs = leases.endMs(slot);
      if (endMs !== Infinity && leases.hasLapsed(slot, now().getTime())) message += LAPSED_SUFFIX;
      return leases.heldSinceMs === undefined ? message : message + STALE_SUFFIX;
    },
    withCapability: (capability) => currentOf(index.get(normal(capability)) ?? []),
    put(told) {
      const known = slots.slotOf(told.brief.agentId);
      const agentId = known === undefined ? apart(told.brief.agentId) : told.brief.agentId;
      const slot = known ?? free.pop() ?? slots.size;
      const before = known === undefined ? undefined : messages.get(known);
      if (known === undefined) slots.add(agentId, slot);
      else forget(known);
      messages.set(slot, told.message);
      leases.set(slot, told.brief);
      list(slot, told);
      return { slot, agentId, before };
    },
    drop(agentId) {
      const slot = slots.remove(agentId);
      if (slot === undefined) return undefined;
      const before = messages.get(slot);
      forget(slot);
      messages.set(slot, "");
      free.push(slot);
      return { slot, agentId, before };
    },
  };
}

/** Reads a message that is kept as a text. */
export function decode(message: string): Agent {
  return fromBinary(AgentSchema, Buffer.from(message, "latin1"));
}

function capabilitiesOf(agent: Agent): readonly string[] {
  return agent.profile?.capabilities ?? [];
}

function normal(capability: string): string {
  return capability.trim().toLowerCase();
}
