import { enqueueNew, type Pool, recall, remember, withTransaction } from "@bourse/postgres";
import type { Agent } from "../agent.ts";
import { type Ended, type Mutation, settle } from "../mutation.ts";
import type { CommitOptions } from "../store.ts";
import { insertAgents, replaceAgents, selectAgents, selectKnown } from "./agent.ts";
import { selectErased } from "./erasure.ts";
import { unlessOutrun } from "./outrun.ts";
import { rankAgents } from "./standing.ts";

/**
 * Settles mutations in one transaction. It locks agents by id and then requests, so that two of them wait for each
 * other and never for ever. A `pool` with `pipeline` saves a third of the trips to the server.
 */
export function commitMutations(
  pool: Pool,
  mutations: readonly Mutation[],
  options: CommitOptions,
): Promise<readonly Ended[]> {
  return unlessOutrun(() => commitOnce(pool, mutations, options));
}

function commitOnce(
  pool: Pool,
  mutations: readonly Mutation[],
  { now, isPatient, presences }: CommitOptions,
): Promise<readonly Ended[]> {
  const ids = [...new Set(mutations.map(({ agentId }) => agentId))];
  const requests = mutations.flatMap(({ request }) => request ?? []);
  return withTransaction(pool, async (tx) => {
    const [agents, remembered] = await Promise.all([
      selectAgents(tx, ids, isPatient ? "lock" : "lock-free"),
      // Behind the locks: whoever held them has answered by then.
      recall(tx, requests),
    ]);
    const missing = ids.filter((id) => !agents.has(id));
    const absent = ids.filter((id) => !isRegistered(agents.get(id)));
    const [held, erased] = await Promise.all([
      isPatient || missing.length === 0 ? NONE : selectKnown(tx, missing),
      absent.length === 0 ? NONE : selectErased(tx, absent),
    ]);
    const at = now();
    const settlement = settle(mutations, { agents, held, erased, presences, remembered, at });
    const { inserted, changed, rankedAnew, messages, answered } = settlement;
    await Promise.all([
      insertAgents(tx, inserted, at),
      replaceAgents(tx, changed),
      rankAgents(tx, rankedAnew, at),
      enqueueNew(tx, messages, at),
      remember(tx, answered),
    ]);
    return settlement.ends;
  });
}

const NONE: ReadonlySet<string> = new Set();

function isRegistered(agent: Agent | undefined): boolean {
  return agent !== undefined && agent.unregisteredAt === undefined;
}
