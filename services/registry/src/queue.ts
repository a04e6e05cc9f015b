import { isOutage } from "@bourse/postgres";
import { createGroupCommit } from "@bourse/postgres/group-commit";
import type { Cancellation } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { AvailabilityStore } from "./availability-store.ts";
import type { Done, Ended, Mutation } from "./mutation.ts";
import type { Reason } from "./reasons.ts";
import type { RegistryStore } from "./store.ts";

/** Most mutations of one transaction. */
const BATCH_MAX = 250;
/** Most mutations that wait: what is done of them in some seconds. */
const QUEUE_MAX = 10_000;

/**
 * Under load a transaction begins so long after the one before: what transactions cost is shared by more mutations. A
 * little longer than the feed rests between two looks (20 ms), so that watchers look right after each.
 */
const PACE_MS = 25;
/** Transactions that wait for locked agents at once. */
const PATIENT_LANES = 3;

/** Does mutations of agents together with those that others ask for at the same time. */
export interface Mutations extends AsyncDisposable {
  /**
   * Resolves once it is durable. A caller who leaves before its batch begins is rejected, and nothing was done.
   * @throws what `decide` throws; Rejection REGISTRY_BUSY when too many wait; then nothing was done
   */
  submit(mutation: Mutation, options: { readonly signal: Cancellation }): Promise<Done>;
}

/**
 * Mutations that come while others are being committed go together in the next transaction. Those of agents that
 * another transaction has locked must not hold up the others: they wait for them in lanes of their own.
 */
export function queueMutations(options: {
  readonly store: Pick<RegistryStore, "commit">;
  readonly availability: Pick<AvailabilityStore, "read">;
  readonly now: () => Date;
}): Mutations {
  const { store, availability, now } = options;
  const open = (isPatient: boolean, lanes: number) =>
    createGroupCommit<Mutation, Ended>({
      batchMax: BATCH_MAX,
      queueMax: QUEUE_MAX,
      lanes,
      paceMs: isPatient ? 0 : PACE_MS,
      async commit(mutations) {
        const telling = mutations.filter(({ tellsPresence }) => tellsPresence);
        const agentIds = [...new Set(telling.map(({ agentId }) => agentId))];
        // Before there is a transaction to hold up.
        const presences = await availability.read(agentIds);
        return store.commit(mutations, { now, isPatient, presences });
      },
      // Without a database each of them would only wait for the same time-out again.
      divisible: (error) => !isOutage(error),
      onFull: busy,
    });
  const queue = open(false, 1);
  const patient = open(true, PATIENT_LANES);
  return {
    async submit(mutation, { signal }) {
      const first = await queue.submit(mutation, { signal });
      const ended = first === "held" ? await patient.submit(mutation, { signal }) : first;
      if (ended === "held") throw new Error("who waits for an agent gets it");
      if ("refusal" in ended) throw ended.refusal;
      return ended.done;
    },
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await patient[Symbol.asyncDispose]();
    },
  };
}

function busy(waiting: number): Rejection {
  const reason: Reason = "REGISTRY_BUSY";
  return new Rejection(reason, "the registry has too much to do", {
    metadata: { waiting: String(waiting) },
    retryAfterMs: 200,
  });
}
