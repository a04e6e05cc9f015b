import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { type Directory, decode, type Replaced, Told } from "./directory.ts";
import type { Follower } from "./follow.ts";
import type { Leases } from "./leases.ts";
import { keptOf } from "./stale.ts";
import { agentsIn, staleSinceMsOf, type Watched } from "./watched.ts";

/** What became of an agent. */
export type AgentChange =
  | {
      readonly kind: "changed";
      /** Its slot, as long as it is registered. */
      readonly slot: number;
      readonly agentId: string;
      /** Its message in binary form; a byte per character. */
      readonly message: string;
      /** What that says, decoded when it is looked at. */
      readonly agent: Agent;
      /** As it was known before, decoded when it is looked at; undefined for a newcomer. */
      readonly before: Agent | undefined;
    }
  | {
      /** It was unregistered, or was gone after a time away. */
      readonly kind: "removed";
      /** The slot that it had, and that another may be given after this. */
      readonly slot: number;
      /** As it was known, decoded when it is looked at. */
      readonly agent: Agent;
    };

/** Applies what the registry streams to a directory, and tells who listens. */
export interface Replica {
  readonly follower: Follower;
  /** Resolves when the first snapshot is complete. */
  readonly complete: Promise<void>;
  /** Whether a snapshot was ever complete. */
  isComplete(): boolean;
  /** Whether a stream is open and has caught up. */
  isCurrent(): boolean;
  /** When the registry last said something, in milliseconds since the epoch; -Infinity before that. */
  lastHeardMs(): number;
  /** For how long it has said nothing on an open stream, or there has been none, in milliseconds. */
  silentMs(): number;
  /** Lets leases stand still as of when the registry was last heard, until it is heard again. */
  lose(): void;
  subscribe(listener: (change: AgentChange) => void): () => void;
  /** Tells when leases begin to stand still or as of another time, and when they run again. */
  subscribeLeases(listener: () => void): () => void;
}

/** What a replica is made of. */
export interface ReplicaOptions {
  readonly directory: Directory;
  readonly leases: Leases;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
}

/** No object with getters of its own: to make one for each agent of a snapshot takes longer than to read the agent. */
class Changed {
  readonly kind = "changed";
  readonly slot: number;
  readonly agentId: string;
  readonly #told: Told;
  readonly #before: string | undefined;

  constructor(told: Told, { slot, agentId, before }: Replaced) {
    this.slot = slot;
    this.agentId = agentId;
    this.#told = told;
    this.#before = before;
  }

  get message(): string {
    return this.#told.message;
  }

  get agent(): Agent {
    return this.#told.agent;
  }

  get before(): Agent | undefined {
    return this.#before === undefined ? undefined : decode(this.#before);
  }
}

/** A replica that has heard nothing yet. */
export function createReplica({ directory, leases, now, onError }: ReplicaOptions): Replica {
  const listeners = new Set<(change: AgentChange) => void>();
  const leaseListeners = new Set<() => void>();
  const complete = Promise.withResolvers<void>();
  const state = { complete: false, current: false, lastHeardMs: -Infinity, silentAt: 0 };
  // Whom a full stream has not named when it is complete, the registry no longer knows.
  let unheard: Set<string> | undefined;

  function tell(change: AgentChange): void {
    for (const listener of listeners) heeded(() => listener(change));
  }

  function heeded(listen: () => void): void {
    try {
      listen();
    } catch (error) {
      onError(error);
    }
  }

  function drop(agentId: string): void {
    const dropped = directory.drop(agentId);
    if (dropped === undefined) return;
    const { slot, before } = dropped;
    tell({
      kind: "removed",
      slot,
      get agent() {
        return decode(before);
      },
    });
  }

  function put(told: Told): void {
    const replaced = directory.put(told);
    if (listeners.size > 0) tell(new Changed(told, replaced));
  }

  function apply(message: string): void {
    const told = new Told(message);
    const { agentId, isGone, isStale, lengthMs, lapseMs } = told.brief;
    unheard?.delete(agentId);
    // Nearly always the registry knows.
    const isKnown = !isStale && (lengthMs === 0 || lapseMs < Infinity);
    if (isGone) drop(agentId);
    else put(isKnown ? told : mended(told));
  }

  /** An agent of which the registry does not know all: with what is known of it here. */
  function mended(told: Told): Told {
    const { agentId, isStale } = told.brief;
    const slot = directory.slotOf(agentId);
    const isHeld = slot !== undefined && !leases.hasLapsed(slot, now().getTime());
    if (!isStale && !isHeld) return told;
    const kept = new Told(keptOf(told.message, directory.entered(agentId)));
    const endMs = slot === undefined ? Infinity : leases.endMs(slot);
    // It may end later than its message says, after an outage.
    if (endMs < Infinity && kept.brief.lapseMs < endMs) kept.brief.lapseMs = endMs;
    return kept;
  }

  /** Lets leases stand still as long as none can be renewed, or nobody can tell. */
  function settle(staleSinceMs: number | undefined): void {
    const isNew =
      staleSinceMs === undefined ? leases.release(now().getTime()) : leases.hold(staleSinceMs);
    if (isNew) for (const listener of leaseListeners) heeded(listener);
  }

  function hear(message: Watched): void {
    state.lastHeardMs = now().getTime();
    state.silentAt = performance.now();
    settle(staleSinceMsOf(message));
    for (const agent of agentsIn(message)) apply(agent);
    if (message.event.case !== "synced") return;
    for (const agentId of unheard ?? []) drop(agentId);
    unheard = undefined;
    state.current = true;
    state.complete = true;
    complete.resolve();
  }

  return {
    follower: {
      begin({ full }) {
        unheard = full ? new Set(directory.ids()) : undefined;
      },
      hear,
      end(error) {
        // Streams that were tried in vain since make its absence no shorter.
        if (state.current) state.silentAt = performance.now();
        state.current = false;
        if (error !== undefined) onError(error);
      },
    },
    complete: complete.promise,
    isComplete: () => state.complete,
    isCurrent: () => state.current,
    lastHeardMs: () => state.lastHeardMs,
    silentMs: () => performance.now() - state.silentAt,
    lose: () => settle(state.lastHeardMs),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribeLeases(listener) {
      leaseListeners.add(listener);
      return () => void leaseListeners.delete(listener);
    },
  };
}
