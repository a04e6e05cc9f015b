import { randomBytes } from "node:crypto";
import { createPool, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import { HoldsUnread } from "./account.ts";
import type { Command } from "./command.ts";
import { DebtsUnread } from "./debt.ts";
import { accountsOfOwner, listAccounts } from "./postgres/accounts.ts";
import { commitIn, type LockedCommit, lostRace, type Reach } from "./postgres/batch.ts";
import { verifyChain } from "./postgres/chain.ts";
import { dueTransactions, listDisputes } from "./postgres/dispute-list.ts";
import { eraseAgent } from "./postgres/erasure.ts";
import { createMemoryCommit } from "./postgres/from-memory.ts";
import { walkHistory } from "./postgres/history.ts";
import { writeBatch } from "./postgres/journal.ts";
import { queryEvents } from "./postgres/lineage.ts";
import { movementsOf, openHoldsOf } from "./postgres/movements.ts";
import { answerUnchanging } from "./postgres/repeats.ts";
import { tallyEvents } from "./postgres/report.ts";
import { snapshots } from "./postgres/snapshot.ts";
import { createSweeper } from "./postgres/sweeper.ts";
import { findTransaction, findTransactions } from "./postgres/transactions.ts";
import { verifyAll } from "./postgres/verify.ts";
import { createRepeaters, partsOf, tellerOf } from "./repeaters.ts";
import type { LedgerStore, LineageStore, QueryOptions, Road } from "./store.ts";

export { MOVEMENT_TABLES } from "./postgres/movements.ts";

/** What the stores need from outside. */
export interface StoreOptions {
  readonly pool: Pool;
  /** What `createWriters` opened; when absent, all is written over `pool`. */
  readonly writers?: Writers;
  readonly now: () => Date;
  /** A UUIDv7, new each time. */
  readonly newId: () => string;
  /** Random, new each time, and telling nothing of the subject. */
  readonly newPseudonym: () => string;
  /** Is told how each batch was decided. */
  readonly onRoad?: (road: Road) => void;
}

const RACES_MAX = 10;

/** 64 random bits, so that no two changes of an account have the same. */
function newStamp(): bigint {
  return randomBytes(8).readBigInt64BE();
}

/** The most transactions that one page of a list looks at for those that it wants. */
const LOOK_MAX = 20_000;

/**
 * A batch looks up all it needs by key. Said aloud, because the planner goes by statistics, which
 * are old when a table grows fast, and keeps the plan that it made when the table was empty.
 */
const BY_KEY = {
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_bitmapscan: "off",
  // What is off is priced so high that it would be compiled first.
  jit: "off",
  // No two rows of a batch have the same key.
  enable_memoize: "off",
};

/**
 * Payments have one plan for batches of any size. Left to itself the server plans each small one anew, as what it may
 * save by that seems more to it than what it costs: in truth two fifths of the time of a payment by itself.
 */
const BY_ONE_PLAN = { ...BY_KEY, plan_cache_mode: "force_generic_plan" };

/** The connections over which the books are written. */
export interface Writers extends AsyncDisposable {
  /** For payments that are decided from memory: batches are sent one behind the other. */
  readonly payments: Pool;
  /** For all that is decided under lock, and what was done before. */
  readonly others: Pool;
}

/**
 * How long a statement of the books may take. All that is to be written waits behind it, so one whose connection has
 * fallen silent must end; the slowest batch takes a tenth of that.
 */
const ANSWER_MS = 30_000;

/**
 * Opens them. Who waits for a statement without an answer is told of an outage after `answerMs`, and finds out what
 * became of it by asking again with the same id.
 */
export function createWriters(url: string, schema: string, answerMs = ANSWER_MS): Writers {
  const payments = createPool(url, {
    schema,
    max: 2,
    settings: BY_ONE_PLAN,
    pipeline: true,
    answerMs,
  });
  const others = createPool(url, { schema, answerMs });
  return {
    payments,
    others,
    async [Symbol.asyncDispose]() {
      await Promise.all([payments.end(), others.end()]);
    },
  };
}

/** Opens the books on Postgres. */
export function createLedgerStore(options: StoreOptions): LedgerStore {
  const { pool, writers } = options;
  const snapshot = snapshots(pool);
  const lockingPool = writers?.others ?? pool;
  // For what nobody else puts an end to.
  const boundedSnapshot = snapshots(lockingPool);
  const stamp = () => ({ ...stampOf(options), newStamp });
  const repeaters = createRepeaters(() => performance.now());
  const sweeper = createSweeper(pool, { now: () => performance.now() });
  const { onRoad = () => {} } = options;
  const fromMemory = createMemoryCommit({
    ...{ pool: writers?.payments ?? pool, stamp, repeaters, onRoad },
  });
  const write = <T>(
    work: (tx: Tx, commit: (commands: readonly Command[]) => Promise<LockedCommit>) => Promise<T>,
    query: QueryOptions,
  ) =>
    withRaces((reach) =>
      withTransaction(
        lockingPool,
        (tx) => work(tx, (commands) => commitIn(tx, commands, stamp(), reach)),
        { ...query, settings: BY_KEY },
      ),
    );
  return {
    write,
    async commit(commands) {
      const committed =
        (await fromMemory.commit(commands)) ??
        (await fromMemory.underLock(() => write((_tx, commit) => commit(commands), {})));
      sweeper.note(committed.happenings);
      return committed;
    },
    looksRepeated: fromMemory.looksRepeated,
    async answerUnchanging(parcels) {
      onRoad("read");
      const answers = await boundedSnapshot({}, (tx) => answerUnchanging(tx, parcels, stamp()));
      const repeats = parcels.filter((_, nth) => answers[nth] !== undefined).flat();
      repeaters.note(repeats.flatMap(partsOf).map(tellerOf));
      return answers;
    },
    findTransaction: (id, query) =>
      snapshot(query, async (tx) => {
        const transaction = await findTransaction(tx, id);
        if (transaction === undefined) return undefined;
        return { transaction, movements: await movementsOf(tx, id) };
      }),
    listTransactions: (filter, after, limit, query) =>
      snapshot(query, async (tx) => {
        const walk = { order: "newest first", after, limit, lookMax: LOOK_MAX } as const;
        const { ids, next } = await walkHistory(tx, filter, walk);
        return { transactions: await findTransactions(tx, ids, "without disputes"), next };
      }),
    listDisputes: (filter, after, limit, query) =>
      snapshot(query, (tx) => listDisputes(tx, filter, after, limit)),
    dueTransactions: (now, limit, query) =>
      boundedSnapshot(query, (tx) => dueTransactions(tx, now, limit)),
    balances: (owner, query) =>
      snapshot(query, async (tx) => ({
        accounts: await accountsOfOwner(tx, owner),
        openHolds: await openHoldsOf(tx, owner, query.holdsMax),
      })),
    listAccounts: (currency, after, limit, query) =>
      snapshot(query, (tx) => listAccounts(tx, currency, after, limit)),
    verify: (query) => snapshot(query, (tx) => verifyAll(tx, query.divergencesMax)),
    erase: (agentId, alias, query) => eraseAgent(pool, { agentId, alias }, query),
    countOpen: async () => {
      const { rows } = await pool.query<{ held: string; disputed: string }>(
        `select (select count(*) from holds) as held,
           (select count(*) from disputes where due_at is not null) as disputed`,
      );
      return { openHolds: Number(rows[0]?.held), disputed: Number(rows[0]?.disputed) };
    },
  };
}

/**
 * Works anew when a race was lost, or when more of the books is needed than was read: most batches pay no
 * debts and close no account, so these are read only when they are wanted, and then locked in order with all the rest.
 */
async function withRaces<T>(work: (reach: Reach) => Promise<T>): Promise<T> {
  const debtors = new Map<bigint, bigint>();
  let holdsOf: Reach["holdsOf"] = "large";
  for (let race = 1; ; ) {
    try {
      return await work({ debtors, holdsOf });
    } catch (error) {
      if (error instanceof HoldsUnread && holdsOf !== "all") {
        holdsOf = "all";
        continue;
      }
      if (error instanceof DebtsUnread) {
        // Each time more, so that there is an end: earlier commands of the batch may pay some too.
        const before = debtors.get(error.debtor) ?? 0n;
        debtors.set(error.debtor, 2n * before + error.reach);
        continue;
      }
      if (race === RACES_MAX || !lostRace(error)) throw error;
      race++;
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
    verifyChain: (query) => snapshot(query, verifyChain),
    tally: (period, query) => snapshot(query, (tx) => tallyEvents(tx, period)),
  };
}

function stampOf({ now, newId, newPseudonym }: StoreOptions) {
  return { now: now(), newId, newPseudonym };
}
