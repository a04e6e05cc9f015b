import type { Tx } from "@bourse/postgres";
import type { Happening } from "../books.ts";

/** How many payments end between two rounds, at least. */
const ENDED_MIN = 5_000;

/** How much longer than a round takes is waited for the next. */
const REST_FACTOR = 20;

/**
 * Cleans up behind holds that have ended: each leaves a row and four entries of indexes, in whose midst new ones are
 * put. The server does so once a minute at most, by when that are a million.
 * @param now milliseconds that only go forward
 */
export function createSweeper(
  database: Tx,
  { now, endedMin = ENDED_MIN }: { readonly now: () => number; readonly endedMin?: number },
): Sweeper {
  let ended = 0;
  let restUntil = 0;
  let isSweeping = false;

  async function sweep(): Promise<void> {
    isSweeping = true;
    ended = 0;
    const from = now();
    try {
      // Pages that are empty now are soon full again, and giving them back would lock the table.
      await database.query("vacuum (skip_locked, truncate off) holds");
    } catch {
      // The server goes on to do it when it comes by.
    } finally {
      const until = now();
      restUntil = until + REST_FACTOR * (until - from);
      isSweeping = false;
    }
  }

  return {
    note(happenings) {
      for (const { kind } of happenings) if (ENDS.has(kind)) ended += 1;
      if (ended < endedMin || isSweeping || now() < restUntil) return;
      void sweep();
    },
  };
}

/** Cleans up now and then, while payments go on. */
export interface Sweeper {
  /** Takes in what was committed. */
  note(happenings: readonly Happening[]): void;
}

const ENDS: ReadonlySet<Happening["kind"]> = new Set([
  "transaction_settled",
  "transaction_cancelled",
  "dispute_resolved",
]);
