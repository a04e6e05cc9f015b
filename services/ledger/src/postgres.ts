import { type Pool, type Tx, withTransaction } from "@bourse/postgres";
import { accountsOfOwner, listAccounts } from "./postgres/accounts.ts";
import { type BatchStamp, commitIn, lostRace } from "./postgres/batch.ts";
import { findBurnt } from "./postgres/burnt.ts";
import { verifyChain } from "./postgres/chain.ts";
import { walkHistory } from "./postgres/history.ts";
import { writeBatch } from "./postgres/journal.ts";
import { queryEvents } from "./postgres/lineage.ts";
import { movementsOf, openHoldsOf } from "./postgres/movements.ts";
import { findTransaction, findTransactions } from "./postgres/transactions.ts";
import { verifyBooks } from "./postgres/verify.ts";
import type { LedgerStore, LineageStore, QueryOptions } from "./store.ts";

/** What the stores need from outside. */
export interface StoreOptions {
  readonly pool: Pool;
  readonly now: () => Date;
  /** A UUIDv7, new each time. */
  readonly newId: () => string;
  /** Random, new each time, and telling nothing of the subject. */
  readonly newPseudonym: () => string;
}

const RACES_MAX = 10;

/** The most transactions that one page of a list looks at for those that it wants. */
const LOOK_MAX = 20_000;

/** Opens the books on Postgres. */
export function createLedgerStore(options: StoreOptions): LedgerStore {
  const { pool } = options;
  const snapshot = snapshots(pool);
  const write: LedgerStore["write"] = (work, query) =>
    withRaces(() =>
      withTransaction(
        pool,
        (tx) => work(tx, (commands) => commitIn(tx, commands, stampOf(options))),
        query,
      ),
    );
  return {
    write,
    commit: (commands) => write((_tx, commit) => commit(commands), {}),
    findTransaction: (id, query) =>
      snapshot(query, async (tx) => {
        const transaction = await findTransaction(tx, id);
        if (transaction === undefined) return undefined;
        return { transaction, movements: await movementsOf(tx, id) };
      }),
    isBurnt: (id, query) => snapshot(query, async (tx) => (await findBurnt(tx, [id])).length > 0),
    listTransactions: (filter, after, limit, query) =>
      snapshot(query, async (tx) => {
        const walk = { order: "newest first", after, limit, lookMax: LOOK_MAX } as const;
        const { ids, next } = await walkHistory(tx, filter, walk);
        return { transactions: await findTransactions(tx, ids, "without disputes"), next };
      }),
    balances: (owner, query) =>
      snapshot(query, async (tx) => ({
        accounts: await accountsOfOwner(tx, owner),
        openHolds: await openHoldsOf(tx, owner, query.holdsMax),
      })),
    listAccounts: (currency, after, limit, query) =>
      snapshot(query, (tx) => listAccounts(tx, currency, after, limit)),
    verify: (query) => snapshot(query, (tx) => verifyBooks(tx, query.divergencesMax)),
    countOpen: async () => {
      const { rows } = await pool.query<{ held: string; disputed: string }>(
        `select (select count(*) from holds) as held,
           (select count(*) from disputes where due_at is not null) as disputed`,
      );
      return { openHolds: Number(rows[0]?.held), disputed: Number(rows[0]?.disputed) };
    },
  };
}

async function withRaces<T>(work: () => Promise<T>): Promise<T> {
  for (let race = 1; ; race++) {
    try {
      return await work();
    } catch (error) {
      if (race === RACES_MAX || !lostRace(error)) throw error;
    }
  }
}

/** Opens the record on Postgres. */
export function createLineageStore(options: StoreOptions): LineageStore {
  const { pool } = options;
  const snapshot = snapshots(pool);
  return {
    append: (source, events, query) =>
      withTransaction(
        pool,
        (tx) => writeBatch(tx, { movements: [], events, source }, stampOf(options)),
        query,
      ),
    query: (filter, after, limit, query) =>
      snapshot(query, (tx) => queryEvents(tx, filter, after, limit)),
    verifyChain: (query) => snapshot(query, (tx) => verifyChain(tx)),
  };
}

function stampOf({ now, newId, newPseudonym }: StoreOptions): BatchStamp {
  return { now: now(), newId, newPseudonym };
}

/**
 * Reads within one snapshot, so that all statements of `work` see the same instant; it can write
 * nothing.
 */
function snapshots(pool: Pool) {
  return <T>(query: QueryOptions, work: (tx: Tx) => Promise<T>): Promise<T> =>
    withTransaction(
      pool,
      async (tx) => {
        await tx.query("set transaction read only");
        return work(tx);
      },
      { ...query, isolation: "repeatable read" },
    );
}
