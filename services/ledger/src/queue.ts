import { createGroupCommit, type GroupCommit } from "@bourse/postgres/group-commit";
import { reasonOf } from "@bourse/rpc";
import type { Answer, Happening } from "./books.ts";
import type { Command } from "./command.ts";
import { refuse } from "./refusal.ts";
import type { LedgerStore } from "./store.ts";

/**
 * Puts the books behind a queue: commands that come while a batch is being committed make the next
 * batch.
 */
export function createQueue(options: {
  readonly store: Pick<LedgerStore, "commit">;
  readonly batchMax: number;
  readonly queueMax: number;
  /** Is told what a batch made durable, before its callers are answered. */
  readonly tell: (happenings: readonly Happening[]) => void;
  readonly onBatch?: (size: number) => void;
}): GroupCommit<Command, Answer> {
  const { store, tell, ...limits } = options;
  return createGroupCommit({
    ...limits,
    async commit(commands) {
      const { answers, happenings } = await store.commit(commands);
      tell(happenings);
      return answers;
    },
    // Without a database each of them would only wait for the same time-out again.
    divisible: (error) => reasonOf(error) !== "LEDGER_UNAVAILABLE",
    onFull: (waiting) =>
      refuse("LEDGER_BUSY", "the ledger has too much to do", {
        metadata: { waiting: String(waiting) },
        retryAfterMs: 200,
      }),
  });
}
