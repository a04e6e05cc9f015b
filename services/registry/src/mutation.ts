import {
  type MutationRequest,
  type OutboxMessage,
  type Remembered,
  repeatedAnswer,
  requestKey,
} from "@bourse/postgres";
import type { Agent, Profile, StoredProfile } from "./agent.ts";
import type { Presence } from "./availability.ts";

/** What a call asks to become of one agent. */
export interface Mutation {
  readonly agentId: string;
  /** How the caller named it; undefined: sent again, it is done again. */
  readonly request: MutationRequest | undefined;
  /** Whether its answer tells of the agent's availability. */
  readonly tellsPresence?: boolean;
  /** Looks and changes nothing. @throws Rejection when nothing of it is to happen */
  decide(found: Found): Decision;
}

/** What a mutation finds when its turn comes. */
export interface Found {
  /** As those before it have left it, the tombstone included; undefined: it never was. */
  readonly agent: Agent | undefined;
  /** Whether an agent of this id was erased, or it is an alias; only told when none is registered. */
  readonly isErased: boolean;
  /** What was known of its availability right before; only told when the mutation asks for it. */
  readonly presence: Presence | undefined;
  readonly at: Date;
}

/** What becomes of the agent. */
export interface Decision {
  /** Undefined: nothing changes. The profile as it was found, or a new one; the reputation as it was found. */
  readonly after?: Agent<StoredProfile | Profile>;
  /** Whether its places on leaderboards have to be written anew. */
  readonly isRankedAnew?: boolean;
  readonly event?: OutboxMessage;
  /** The answer in its binary form; remembered under the request. */
  readonly answer: Uint8Array;
}

/** What was answered, and what was stored. */
export interface Done {
  readonly answer: Uint8Array;
  readonly before: Agent | undefined;
  /** Undefined when nothing was changed, also because it had been done before. */
  readonly after: Agent<StoredProfile | Profile> | undefined;
  readonly at: Date;
}

/** How a mutation ended: done, or refused with what `decide` threw; "held": not looked at. */
export type Ended = { readonly done: Done } | { readonly refusal: unknown } | "held";

/** All that mutations rest on. */
export interface Facts {
  /** Locked, tombstones included. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** Agents that another transaction has locked. */
  readonly held: ReadonlySet<string>;
  readonly erased: ReadonlySet<string>;
  readonly presences: ReadonlyMap<string, Presence>;
  /** What stands under their requests, by key. */
  readonly remembered: ReadonlyMap<string, Remembered>;
  readonly at: Date;
}

/** What is to be written, all together. */
export interface Settlement {
  /** One for each mutation. */
  readonly ends: readonly Ended[];
  /** As they are in the end. */
  readonly inserted: readonly Agent<Profile>[];
  readonly changed: readonly Agent<StoredProfile | Profile>[];
  readonly rankedAnew: readonly Agent[];
  /** In the order in which it happened. */
  readonly messages: readonly OutboxMessage[];
  readonly answered: readonly { readonly request: MutationRequest; readonly answer: Uint8Array }[];
}

/**
 * Decides on mutations as if each had come alone, in this order: what one leaves behind the next one finds, what is
 * refused leaves nothing behind, and one that stands here twice under one request is done once.
 */
export function settle(mutations: readonly Mutation[], facts: Facts): Settlement {
  const { erased, presences, at } = facts;
  const agents = new Map(facts.agents);
  const remembered = new Map(facts.remembered);
  const changed = new Map<string, Agent<StoredProfile | Profile>>();
  const rankedAnew = new Set<string>();
  const messages: OutboxMessage[] = [];
  const answered: { request: MutationRequest; answer: Uint8Array }[] = [];

  function done(mutation: Mutation): Done {
    const { agentId, request } = mutation;
    const before = agents.get(agentId);
    const first = request && remembered.get(requestKey(request));
    if (request !== undefined && first !== undefined) {
      return { answer: repeatedAnswer(request, first), before, after: undefined, at };
    }
    const decision = mutation.decide({
      agent: before,
      isErased: erased.has(agentId),
      presence: presences.get(agentId),
      at,
    });
    const { answer, after, event } = decision;
    if (after !== undefined) {
      agents.set(agentId, after);
      changed.set(agentId, after);
    }
    if (decision.isRankedAnew === true) rankedAnew.add(agentId);
    if (event !== undefined) messages.push(event);
    if (request !== undefined) {
      remembered.set(requestKey(request), { ...request, answer });
      answered.push({ request, answer });
    }
    return { answer, before, after, at };
  }

  const ends = mutations.map((mutation): Ended => {
    if (facts.held.has(mutation.agentId)) return "held";
    try {
      return { done: done(mutation) };
    } catch (refusal) {
      return { refusal };
    }
  });
  const all = [...changed.values()].sort(({ id: a }, { id: b }) => (a < b ? -1 : 1));
  return {
    ends,
    inserted: all.filter(({ id }) => !facts.agents.has(id)).map(asNew),
    changed: all.filter(({ id }) => facts.agents.has(id)),
    rankedAnew: all.filter(({ id }) => rankedAnew.has(id)),
    messages,
    answered,
  };
}

/** Whether a profile bears what the store finds it by, as a new one does. */
export function isWhole(profile: StoredProfile | Profile): profile is Profile {
  return "capabilities" in profile;
}

function asNew(agent: Agent<StoredProfile | Profile>): Agent<Profile> {
  const { profile } = agent;
  if (!isWhole(profile)) throw new Error(`agent '${agent.id}' is new and has no profile`);
  return { ...agent, profile };
}
