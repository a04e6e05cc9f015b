import type { Pool } from "@bourse/postgres";
import type { StatementStore } from "../statement.ts";
import { changesAfter, journalEnd, journalPlace } from "./changes.ts";
import { walkHistory } from "./history.ts";
import { movementsOfAll } from "./movements.ts";
import { snapshots } from "./snapshot.ts";
import { summarize } from "./summary.ts";
import { findTransactions } from "./transactions.ts";
import { listTransfers } from "./transfer-list.ts";

/** Transactions per read of a history: with all the evidence there may be they take 240 MB. */
const PAGE = 100;
/** The most transactions that one read of a history looks at for those that it wants. */
const LOOK_MAX = 20_000;
/** The most movements of a transaction: what they weigh must fit into an answer. */
const MOVEMENTS_MAX = 1_000;

/**
 * Opens the statements on Postgres, with pools that the books do not need for payments: one for
 * short reads and, as sums take long, one for those.
 */
export function createStatementStore({
  pool,
  summaryPool,
}: {
  readonly pool: Pool;
  readonly summaryPool: Pool;
}): StatementStore {
  const snapshot = snapshots(pool);
  const summaries = snapshots(summaryPool);
  return {
    newest: (query) =>
      snapshot(query, async (tx) => {
        const { rows } = await tx.query<{ newest: Date | null }>(
          "select max(created_at) as newest from transactions",
        );
        return rows[0]?.newest ?? undefined;
      }),
    history: (filter, after, query) =>
      snapshot(query, async (tx) => {
        const walk = { order: "oldest first", after, limit: PAGE, lookMax: LOOK_MAX } as const;
        const { ids, next } = await walkHistory(tx, filter, walk);
        const movements = await movementsOfAll(tx, ids, MOVEMENTS_MAX);
        const transactions = await findTransactions(tx, ids, "with disputes");
        const entries = transactions.map((transaction) => ({
          transaction,
          movements: movements.get(transaction.id) ?? [],
        }));
        return { entries, next };
      }),
    transfers: (filter, after, limit, query) =>
      snapshot(query, (tx) => listTransfers(tx, filter, after, limit)),
    summarize: (wanted, after, limit, query) =>
      summaries(query, (tx) => summarize(tx, wanted, after, limit)),
    journalEnd: () => snapshot({}, journalEnd),
    journalPlace: (sequence) => snapshot({}, (tx) => journalPlace(tx, sequence)),
    changesAfter: (after, until) => snapshot({}, (tx) => changesAfter(tx, after, until)),
  };
}
