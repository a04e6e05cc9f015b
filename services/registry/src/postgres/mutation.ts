import { enqueue, type Pool, recall, remember, violated, withTransaction } from "@bourse/postgres";
import type { Agent } from "../agent.ts";
import { type Ended, type Mutation, settle } from "../mutation.ts";
import type { CommitOptions } from "../store.ts";
import { insertAgents, replaceAgents, selectAgents, selectKnown } from "./agent.ts";
import { selectErased } from "./erasure.ts";
import { rankAgents } from "./standing.ts";

/** How often mutations that others outrun are decided on, at most. */
const ATTEMPTS = 4;

/**
 * Settles mutations in one transaction. It locks agents by id and then requests, so that two of them wait for each
 * other and never for ever. A `pool` with `pipeline` saves a third of the trips to the server.
 */
export async function commitMutations(
  pool: Pool,
  mutations: readonly Mutation[],
  options: CommitOptions,
): Promise<readonly Ended[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await commitOnce(pool, mutations, options);
    } catch (error) {
      // Another transaction registered such an agent, or answered such a request, after it was looked for.
      const isOutrun = error instanceof Outrun || violated(error) === "requests_pkey";
      if (!isOutrun || attempt === ATTEMPTS) throw error;
    }
  }
}

class Outrun extends Error {
  override readonly name = "Outrun";
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
    const [there] = await Promise.all([
      inserted.length === 0 ? NONE : insertAgents(tx, inserted),
      changed.length === 0 ? undefined : replaceAgents(tx, changed),
      rankAgents(tx, rankedAnew, at),
      enqueue(tx, messages, at),
      remember(tx, answered),
    ]);
    if (there.size < inserted.length) throw new Outrun("an agent was registered meanwhile");
    return settlement.ends;
  });
}

const NONE: ReadonlySet<string> = new Set();

function isRegistered(agent: Agent | undefined): boolean {
  return agent !== undefined && agent.unregisteredAt === undefined;
}
