import { enqueue, enqueueNew, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import { gather } from "./gather.ts";
import {
  insertAgents,
  replaceAgents,
  selectAgents,
  selectDeclarations,
  selectOffers,
  selectPage,
  updateAgent,
} from "./postgres/agent.ts";
import { selectCapabilityCounts, selectCensus, selectRegistered } from "./postgres/census.ts";
import { selectChanges } from "./postgres/change.ts";
import {
  insertErasure,
  selectErased,
  selectErasure,
  selectErasures,
  selectPendingErasure,
  selectRemovals,
} from "./postgres/erasure.ts";
import { commitMutations } from "./postgres/mutation.ts";
import {
  insertAdjustment,
  insertOutcome,
  selectAdjustments,
  selectEvidence,
  selectOutcomes,
  selectPair,
  selectProviders,
} from "./postgres/outcome.ts";
import { unlessOutrun } from "./postgres/outrun.ts";
import { rankAgents, selectStale, selectStandings, tellAgain } from "./postgres/standing.ts";
import type { RegistryStore, RegistryUnit } from "./store.ts";

const DECLARATIONS_AT_ONCE = 500;

/**
 * The store on Postgres; the search path of the pools is the schema `registry`. Through `feedPool` is read
 * what watchers wait for.
 */
export function createPostgresStore(pool: Pool, feedPool = pool): RegistryStore {
  return {
    write: (work, { signal }) =>
      unlessOutrun(() => withTransaction(pool, (tx) => work(unitOf(tx)), { signal })),
    commit: (mutations, options) => commitMutations(pool, mutations, options),
    readAgents: (agentIds) => selectAgents(pool, agentIds),
    readDeclaration: gather((agentIds) => selectDeclarations(pool, agentIds), DECLARATIONS_AT_ONCE),
    readOffers: (agentIds) => selectOffers(pool, agentIds),
    readProviders: (requesterId, agentIds) => selectProviders(pool, requesterId, agentIds),
    listAgents: (filter, after, limit) => selectPage(pool, filter, after, limit),
    countCapabilities: () => selectCapabilityCounts(pool),
    readChanges: (range, since) => selectChanges(feedPool, range, since),
    listRegistered: (after, limit) => selectRegistered(pool, after, limit),
    readRemovals: () => selectRemovals(feedPool),
    readErased: (agentIds) => selectErased(pool, agentIds),
    readOutcomes: (outcomeIds) => selectOutcomes(pool, outcomeIds),
    listEvidence: (filter, after, limit) => selectEvidence(pool, filter, after, limit),
    listAdjustments: (agentId) => selectAdjustments(pool, agentId),
    listStandings: (board, after, limit) => selectStandings(pool, board, after, limit),
    listStale: (after, before, limit) => selectStale(pool, after, before, limit),
    readErasure: (erasureId) => selectErasure(pool, erasureId),
    listErasures: (filter, after, limit) => selectErasures(pool, filter, after, limit),
    summarize: () => selectCensus(pool),
  };
}

function unitOf(tx: Tx): RegistryUnit {
  return {
    tx,
    lockAgents: (agentIds) => selectAgents(tx, agentIds, "lock"),
    insertAgents: (agents, now) => insertAgents(tx, agents, now),
    replaceAgents: (agents) => replaceAgents(tx, agents),
    updateAgent: (agent) => updateAgent(tx, agent),
    readPair: (outcome) => selectPair(tx, outcome),
    rankAgents: (agents, now) => rankAgents(tx, agents, now),
    tellAgain: (agentIds) => tellAgain(tx, agentIds),
    insertOutcome: (outcome, kept) => insertOutcome(tx, outcome, kept),
    insertAdjustment: (adjustment) => insertAdjustment(tx, adjustment),
    readErased: (agentIds) => selectErased(tx, agentIds),
    pendingErasure: (agentId) => selectPendingErasure(tx, agentId),
    insertErasure: (erasure, order) => insertErasure(tx, erasure, order),
    enqueue: (messages, now) => enqueue(tx, messages, now),
    enqueueNew: (messages, now) => enqueueNew(tx, messages, now),
  };
}
