import type { OutboxMessage, Tx } from "@bourse/postgres";
import type { FeedRange, FeedRow } from "@bourse/postgres/feed";
import type { PairEvidence, Reputation } from "@bourse/scoring";
import type { Agent, Profile } from "./agent.ts";
import type { Declaration, Presence, State } from "./availability.ts";
import type { Erasure, ErasureOrder, Removals } from "./erasure.ts";
import type { Ended, Mutation } from "./mutation.ts";
import type { Outcome } from "./outcome.ts";
import type { View } from "./standing.ts";

/** What the registry keeps for good. */
export interface RegistryStore {
  /** Runs `work` in one transaction: all that it writes, or nothing. It begins anew when another one outran it. */
  write<T>(
    work: (unit: RegistryUnit) => Promise<T>,
    options: { readonly signal: AbortSignal },
  ): Promise<T>;
  /** Settles mutations in one transaction, which they share. */
  commit(mutations: readonly Mutation[], options: CommitOptions): Promise<readonly Ended[]>;
  /** Agents by id, tombstones included; those that never were are left out. */
  readAgents(agentIds: readonly string[]): Promise<ReadonlyMap<string, Agent>>;
  /** What a heartbeat has to know. */
  readDeclaration(agentId: string): Promise<Declaration | undefined>;
  /** What the registered of these agents can do. */
  readOffers(agentIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  /** Those of the agents that have succeeded in a task of this requester, which counts. */
  readProviders(requesterId: string, agentIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** At most `limit` agents by id, those behind `after`. */
  listAgents(filter: AgentFilter, after: string, limit: number): Promise<readonly Agent[]>;
  countCapabilities(): Promise<CapabilityCounts>;
  /** The agents that changed, for a feed; the first reading of all leaves out tombstones older than `since`. */
  readChanges(range: FeedRange, since: Date): Promise<readonly FeedRow<Agent>[]>;
  /** What was taken away from those who follow the agents. */
  readRemovals(): Promise<Removals>;
  /** Those of the ids that were erased, and those that are aliases. */
  readErased(agentIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Those of the outcomes that were recorded, by id. */
  readOutcomes(outcomeIds: readonly string[]): Promise<ReadonlyMap<string, RecordedOutcome>>;
  /** Outcomes of an agent, the last recorded first, at most `limit` behind `after`; "" is any capability. */
  listEvidence(
    filter: { readonly agentId: string; readonly capability: string },
    after: { readonly recordedAt: Date; readonly id: string } | undefined,
    limit: number,
  ): Promise<readonly ExplainedOutcome[]>;
  /** The latest first, at most 100. */
  listAdjustments(agentId: string): Promise<readonly Pick<Adjustment, "deltaPpm" | "madeAt">[]>;
  /** At most `limit` places behind `after`, the best first; "" is over all capabilities. */
  listStandings(
    board: { readonly view: View; readonly capability: string },
    after: Place | undefined,
    limit: number,
  ): Promise<readonly Ranked[]>;
  /** Registered agents with a record, by id, whose places are older than `before` or missing; at most `limit`. */
  listStale(after: string, before: Date, limit: number): Promise<readonly string[]>;
  readErasure(erasureId: string): Promise<Erasure | undefined>;
  /** At most `limit`, the newest first, those behind `after`. */
  listErasures(
    filter: { readonly pendingOnly: boolean },
    after: { readonly requestedAt: Date; readonly id: string } | undefined,
    limit: number,
  ): Promise<readonly Erasure[]>;
  /** The registered agents, at most `limit`, those behind `after`, by id. */
  listRegistered(after: string, limit: number): Promise<readonly string[]>;
  summarize(): Promise<Census>;
}

/** How mutations are settled. */
export interface CommitOptions {
  /** Asked once the agents are locked. */
  readonly now: () => Date;
  /** Whether to wait for agents that another transaction has locked; else mutations of them end "held". */
  readonly isPatient: boolean;
  /** What is known of the availability of agents whose mutations tell of it. */
  readonly presences: ReadonlyMap<string, Presence>;
}

/** One transaction. */
export interface RegistryUnit {
  /** For the memory of requests. */
  readonly tx: Tx;
  /** Agents by id, tombstones included, which nobody else changes until the transaction ends. */
  lockAgents(agentIds: readonly string[]): Promise<ReadonlyMap<string, Agent>>;
  /** Inserts agents, all registered at `now`, which were not there when they were locked. */
  insertAgents(agents: readonly Agent<Profile>[], now: Date): Promise<void>;
  /** Writes agents but for their reputation. */
  replaceAgents(agents: readonly Agent<Profile>[]): Promise<void>;
  /** Writes all of an agent but its profile. */
  updateAgent(agent: Agent): Promise<void>;
  /** What this requester's outcomes about the agent weighed so far, for one that is to come. */
  readPair(outcome: Outcome): Promise<PairEvidence>;
  /** Writes the places of agents as they are at `now`. */
  rankAgents(agents: readonly Agent[], now: Date): Promise<void>;
  /** Has watchers told of agents, locked, that are as they were. */
  tellAgain(agentIds: readonly string[]): Promise<void>;
  /** Keeps an outcome and what is answered; with the same id kept before, answers with that and writes nothing. */
  insertOutcome(
    outcome: Outcome,
    kept: KeptOutcome & {
      readonly counted: boolean;
      readonly pair: PairEvidence;
      readonly now: Date;
    },
  ): Promise<KeptOutcome | undefined>;
  insertAdjustment(adjustment: Adjustment): Promise<void>;
  /** Those of the ids that were erased, and those that are aliases. */
  readErased(agentIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** The erasure of an agent that is under way. */
  pendingErasure(agentId: string): Promise<Erasure | undefined>;
  /** Writes an erasure down, blanks what the agent said of itself and forgets what it was answered. */
  insertErasure(erasure: Erasure, order: ErasureOrder): Promise<void>;
  enqueue(messages: readonly OutboxMessage[], now: Date): Promise<void>;
  /** The same for messages whose ids were drawn for them, of which none can wait already. */
  enqueueNew(messages: readonly OutboxMessage[], now: Date): Promise<void>;
}

/** An outcome as it was recorded. */
export interface RecordedOutcome {
  readonly id: string;
  readonly agentId: string;
  readonly success: boolean;
  readonly counted: boolean;
  readonly endedAt: Date;
  /** What was answered: a RecordOutcomeResponse. */
  readonly answer: Uint8Array;
}

/** An outcome and what decides how much it counts. */
export interface ExplainedOutcome extends RecordedOutcome {
  readonly requesterId: string;
  readonly capability: string;
  readonly weightPpm: bigint;
  readonly recordedAt: Date;
  /** What all outcomes of its requester weigh at the capability; undefined when it came before they were added up. */
  readonly pairMicros: bigint | undefined;
}

/** Where a place stands on a leaderboard. */
export interface Place {
  readonly agentId: string;
  readonly valuePpm: bigint;
  readonly lowerPpm: bigint;
}

/** A place with what is told of it. */
export interface Ranked extends Place {
  readonly keyedAt: Date;
  readonly reputation: Reputation;
}

/** What an outcome is known by when it comes again. */
export interface KeptOutcome {
  /** A digest of what was told. */
  readonly content: Uint8Array;
  readonly answer: Uint8Array;
}

/** A score that was moved by hand. */
export interface Adjustment {
  readonly agentId: string;
  readonly version: bigint;
  readonly deltaPpm: bigint;
  readonly reason: string;
  readonly madeBy: string;
  readonly madeAt: Date;
}

/** Which agents a list holds. */
export interface AgentFilter {
  /** All of these; normalised. */
  readonly capabilities: readonly string[];
  readonly declaredState: State | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly includeUnregistered: boolean;
}

/** How many registered agents have what. */
export interface CapabilityCounts {
  /** Most first, then by name. */
  readonly capabilities: readonly { readonly capability: string; readonly agents: bigint }[];
  readonly total: bigint;
}

/** The registered agents in numbers, for metrics. */
export interface Census {
  readonly registered: number;
  /** Without a lease and declared ONLINE. */
  readonly onlineWithoutLease: number;
  /** Ids with a lease and declared something else. */
  readonly leasedElseIds: readonly string[];
  /** Mean score of the agents that have worked, 0 to 5; 0 when none has. */
  readonly meanScore: number;
}
