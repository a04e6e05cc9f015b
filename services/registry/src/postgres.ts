import { enqueue, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import {
  insertAgents,
  replaceAgents,
  selectAgents,
  selectChanges,
  selectDeclaration,
  selectPage,
  updateAgent,
} from "./postgres/agent.ts";
import { selectCapabilityCounts, selectCensus, selectLeased } from "./postgres/census.ts";
import {
  insertErasure,
  selectErased,
  selectErasure,
  selectErasures,
  selectPendingErasure,
  selectRemovals,
} from "./postgres/erasure.ts";
import { insertAdjustment, insertOutcome, selectOutcomes } from "./postgres/outcome.ts";
import type { RegistryStore, RegistryUnit } from "./store.ts";

/** The store on Postgres; the search path of the pool is the schema `registry`. */
export function createPostgresStore(pool: Pool): RegistryStore {
  return {
    write: (work, { signal }) => withTransaction(pool, (tx) => work(unitOf(tx)), { signal }),
    readAgents: (agentIds) => selectAgents(pool, agentIds, { lock: false }),
    readDeclaration: (agentId) => selectDeclaration(pool, agentId),
    listAgents: (filter, after, limit) => selectPage(pool, filter, after, limit),
    countCapabilities: () => selectCapabilityCounts(pool),
    readChanges: (range, since) => selectChanges(pool, range, since),
    listLeased: (after, limit) => selectLeased(pool, after, limit),
    readRemovals: () => selectRemovals(pool),
    readErased: (agentIds) => selectErased(pool, agentIds),
    readOutcomes: (outcomeIds) => selectOutcomes(pool, outcomeIds),
    readErasure: (erasureId) => selectErasure(pool, erasureId),
    listErasures: (filter, after, limit) => selectErasures(pool, filter, after, limit),
    summarize: () => selectCensus(pool),
  };
}

function unitOf(tx: Tx): RegistryUnit {
  return {
    tx,
    lockAgents: (agentIds) => selectAgents(tx, agentIds, { lock: true }),
    insertAgents: (agents) => insertAgents(tx, agents),
    replaceAgents: (agents) => replaceAgents(tx, agents),
    updateAgent: (agent) => updateAgent(tx, agent),
    insertOutcome: (outcome, kept) => insertOutcome(tx, outcome, kept),
    insertAdjustment: (adjustment) => insertAdjustment(tx, adjustment),
    readErased: (agentIds) => selectErased(tx, agentIds),
    pendingErasure: (agentId) => selectPendingErasure(tx, agentId),
    insertErasure: (erasure, order) => insertErasure(tx, erasure, order),
    enqueue: (messages, now) => enqueue(tx, messages, now),
  };
}
