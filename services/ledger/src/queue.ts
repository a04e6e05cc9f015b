import { isOutage } from "@bourse/postgres";
import { type Cancellation, createGroupCommit } from "@bourse/postgres/group-commit";
import type { Answer, Happening } from "./books.ts";
import type { Command } from "./command.ts";
import { refuse } from "./refusal.ts";
import type { LedgerStore } from "./store.ts";

/** Commits commands together with those that others ask for at the same time. */
export interface Queue extends AsyncDisposable {
  /**
   * Answers each command once all are durable; they go into one batch, in order. A caller whose
   * signal aborts before that begins is rejected and nothing was done.
   * @throws Rejection LEDGER_BUSY when too many wait; then nothing was done
   */
  submit(
    commands: readonly Command[],
    options?: { readonly signal?: Cancellation },
  ): Promise<readonly Answer[]>;
  /** How many wait for their batch. */
  readonly waiting: number;
}

/**
 * Puts the books behind a queue: commands that come while a batch is being committed make the next
 * batch. What looks as if it had been done before is read in batches of its own, and goes on to the
 * others when it is new after all.
 */
export function createQueue(options: {
  readonly store: Pick<LedgerStore, "commit" | "looksRepeated" | "answerUnchanging">;
  readonly batchMax: number;
  readonly queueMax: number;
  /** How many batches may be under way at once, so that one is decided while another is written. */
  readonly lanes: number;
  /** Is told what a batch made durable, before its callers are answered. */
  readonly tell: (happenings: readonly Happening[]) => void;
  readonly onBatch?: (size: number) => void;
}): Queue {
  const { store, tell, onBatch, ...limits } = options;
  const rules = {
    ...limits,
    weigh: (commands: readonly Command[]) => Math.max(1, countOf(commands)),
    // Without a database each of them would only wait for the same time-out again.
    divisible: (error: unknown) => !isOutage(error),
    onFull: (waiting: number) =>
      refuse("LEDGER_BUSY", "the ledger has too much to do", {
        metadata: { waiting: String(waiting) },
        retryAfterMs: 200,
      }),
  };
  const line = createGroupCommit<readonly Command[], readonly Answer[]>({
    ...rules,
    ...(onBatch && { onBatch }),
    // By one connection, or by the locks that they wait for.
    isSerial: true,
    async commit(parcels) {
      const { answers, happenings } = await store.commit(parcels.flat());
      tell(happenings);
      let begin = 0;
      return parcels.map(({ length }) => {
        begin += length;
        return answers.slice(begin - length, begin);
      });
    },
  });
  const repeats = createGroupCommit<readonly Command[], readonly Answer[] | undefined>({
    ...rules,
    lanes: 1,
    commit: (parcels) => store.answerUnchanging(parcels),
  });
  return {
    get waiting() {
      return line.waiting + repeats.waiting;
    },
    submit(commands, options) {
      if (!store.looksRepeated(commands)) return line.submit(commands, options);
      const answered = repeats.submit(commands, options);
      return answered.then((answers) => answers ?? line.submit(commands, options));
    },
    async [Symbol.asyncDispose]() {
      await repeats[Symbol.asyncDispose]();
      await line[Symbol.asyncDispose]();
    },
  };
}

/** How many deeds these commands are. */
function countOf(commands: readonly Command[]): number {
  return commands.reduce(
    (count, command) => count + (command.kind === "linked" ? command.commands.length : 1),
    0,
  );
}
