import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { Transport } from "@connectrpc/connect";
import { createDirectory, type Listed } from "./directory.ts";
import { follow } from "./follow.ts";
import { createLeases } from "./leases.ts";
import { type AgentChange, createReplica } from "./replica.ts";
import { watch } from "./watched.ts";

/** For how long the registry may say nothing before it is away, in milliseconds. */
interface Patience {
  /** How often that is looked at. */
  readonly everyMs: number;
  /** Since the last stream was lost. */
  readonly lostMs: number;
  /** While a stream is open. */
  readonly silentMs: number;
}

/** What a roster is made of. */
export interface RosterOptions {
  /** Reaches the registry: a `dial` channel or any other Connect transport. Stays the caller's to close. */
  readonly channel: Transport;
  readonly now?: () => Date;
  /** From 0 to below 1; spreads reconnects. */
  readonly random?: () => number;
  /**
   * Under which capabilities `withCapability` finds an agent; default: those that it has. Whoever is found under any is
   * kept decoded, for 3 to 5 KB each, so list no more than you go through. It must answer the same for the same agent.
   * With `false` nobody is found, and no agent is decoded as it comes.
   */
  readonly listed?: Listed;
  readonly onChange?: (change: AgentChange) => void;
  /** When the registry is taken for away; for tests. */
  readonly patience?: Patience;
  /** Is told why a stream was lost and what a listener threw; the roster goes on by itself. */
  readonly onError?: (error: unknown) => void;
}

/**
 * A live local copy of the registry. Agents it hands out are its own: read them, do not change them.
 *
 * Reads are synchronous and go on with the last known state while the registry is away. A lease that has lapsed makes
 * its agent OFFLINE when it is read, without any message from the registry. While the registry or its store of leases
 * is away none lapses, and every agent is `stale`; each lease that held then holds for its length once both are back,
 * unless the registry tells otherwise.
 */
export interface Roster extends AsyncDisposable {
  /** A registered agent; undefined when there is none. */
  get(agentId: string): Agent | undefined;
  /** Every registered agent. */
  agents(): Iterable<Agent>;
  /** The agents that are listed under a capability, compared trimmed and in lower case. */
  withCapability(capability: string): Iterable<Agent>;
  /** Where a registered agent is kept: a small number, its own as long as it is registered. */
  slotOf(agentId: string): number | undefined;
  /** The message of the agent in a slot in binary form, as it is now; a byte per character. */
  messageAt(slot: number): string;
  readonly size: number;
  /** Resolves when the first snapshot is complete; rejects when the roster is closed before that. */
  readonly ready: Promise<void>;
  /** Whether a snapshot was ever complete. */
  isReady(): boolean;
  /** Whether a stream is open now, has caught up, and has said something within 45 seconds. */
  isCurrent(): boolean;
  /** Milliseconds since the registry was last heard; Infinity before that. It speaks at least every 15 seconds. */
  lagMs(): number;
  /**
   * Since when the registry or its store of leases is away, in milliseconds since the epoch; undefined: both are there.
   */
  staleSinceMs(): number | undefined;
  /** When the lease of the agent in a slot ends, in milliseconds since the epoch; Infinity for none. */
  leaseEndMs(slot: number): number;
  /** Tells a listener of each change; answers with what ends that. */
  subscribe(listener: (change: AgentChange) => void): () => void;
  /**
   * Tells a listener whenever `staleSinceMs` is another. Once it is undefined again, leases end later than they did.
   * Answers with what ends that.
   */
  subscribeStale(listener: () => void): () => void;
}

/** Three times the longest silence of a registry that is well. */
const SILENCE_MS = 45_000;
/** A lost stream is mostly opened anew within a second; a registry that is well is never silent for 15. */
const PATIENCE: Patience = { everyMs: 1_000, lostMs: 3_000, silentMs: 20_000 };

/** Opens a roster, which follows WatchAgents until it is disposed. */
export function createRoster(options: RosterOptions): Roster {
  const { channel, now = () => new Date(), random = Math.random, onError = () => {} } = options;
  const leases = createLeases();
  const directory = createDirectory(now, options.listed, leases);
  const replica = createReplica({ directory, leases, now, onError });
  if (options.onChange !== undefined) replica.subscribe(options.onChange);
  const ready = Promise.withResolvers<void>();
  // Not everybody waits for it.
  ready.promise.catch(() => {});
  void replica.complete.then(ready.resolve);
  const closing = new AbortController();
  const following = follow({
    open: (resumeToken, signal) => watch(channel, resumeToken, signal),
    follower: replica.follower,
    random,
    signal: closing.signal,
  });

  const { everyMs, lostMs, silentMs } = options.patience ?? PATIENCE;
  const watching = setInterval(() => {
    const isAway = replica.silentMs() > (replica.isCurrent() ? silentMs : lostMs);
    if (isAway && replica.isComplete()) replica.lose();
  }, everyMs).unref();

  const lagMs = () => now().getTime() - replica.lastHeardMs();
  return {
    get: directory.get,
    agents: directory.agents,
    withCapability: directory.withCapability,
    slotOf: directory.slotOf,
    messageAt: directory.messageAt,
    get size() {
      return directory.size;
    },
    ready: ready.promise,
    isReady: replica.isComplete,
    isCurrent: () => replica.isCurrent() && lagMs() <= SILENCE_MS,
    lagMs,
    staleSinceMs: () => leases.heldSinceMs,
    leaseEndMs: leases.endMs,
    subscribe: replica.subscribe,
    subscribeStale: replica.subscribeLeases,
    async [Symbol.asyncDispose]() {
      clearInterval(watching);
      closing.abort();
      ready.reject(new Error("the roster was closed before its first snapshot was complete"));
      await following;
    },
  };
}
