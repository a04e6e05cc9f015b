import type { Pool, Tx } from "@bourse/postgres";
import type { Checkpoint } from "@bourse/proof";
import type { LogStore } from "../log.ts";
import type { QueryOptions } from "../store.ts";
import { checkpointOf, completeTiles, type LogState, readLog, storeCheckpoint } from "./log.ts";
import { proveConsistency, proveEntry } from "./proof.ts";
import { snapshots } from "./snapshot.ts";

/** What the log needs from outside. */
export interface LogOptions {
  readonly pool: Pool;
  readonly now: () => Date;
}

/** Opens the log over the batches on Postgres. */
export function createLogStore({ pool, now }: LogOptions): LogStore {
  const snapshot = snapshots(pool);
  /** Reads on one snapshot, behind tiles that are up to date, and stores what is told of the log. */
  async function tell<T extends { readonly checkpoint: Checkpoint }>(
    query: QueryOptions,
    work: (tx: Tx, log: LogState) => Promise<T>,
  ): Promise<T> {
    await completeTiles(pool, query);
    const told = await snapshot(query, async (tx) => work(tx, await readLog(tx)));
    await storeCheckpoint(pool, told.checkpoint, now());
    return told;
  }
  return {
    checkpoint: async (size, query) => {
      const told = await tell(query, async (tx, log) => ({
        checkpoint: await checkpointOf(tx, log, size ?? log.size),
      }));
      return told.checkpoint;
    },
    prove: (entry, size, { viewer, ...query }) =>
      tell(query, (tx, log) => proveEntry(tx, log, entry, { size: size ?? log.size, viewer })),
    proveConsistency: (from, to, query) =>
      tell(query, (tx, log) => proveConsistency(tx, log, from, to ?? log.size)),
  };
}
