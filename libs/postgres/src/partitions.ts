import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import { withPatience } from "./patience.ts";
import { identifier } from "./pool.ts";
import { type Tx, withTransaction } from "./transaction.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const LOCK_TRIES_MAX = 20;
const MONTHS_AHEAD_MAX = 120;
/** Bits of `pg_trigger.tgtype`. */
const BEFORE_TRUNCATE = 2 | 32;
/** A UUIDv7 counts milliseconds in 48 bits. */
const TIME_MAX = 2 ** 48 - 1;

/** A table partitioned by range of a UUIDv7, and how far ahead its partitions are made. */
export interface PartitionOptions {
  /** The table's name, in the schema of the pool; its migration has made a default partition. */
  readonly table: string;
  /** How many months after the current one, 0 to 120; 3. */
  readonly monthsAhead?: number;
  /** How long one try waits for a lock, while readers of the default partition wait behind it; 200. */
  readonly lockTimeoutMs?: number;
}

/** One month of a table: rows whose key is at least `from` and below `to`. */
interface Partition {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Makes the partitions of the month of `now` and of the months after it, as far as they are
 * missing, and returns their names. A partition is named <table>_YYYY_MM, in UTC. What refuses to
 * empty the table refuses it for the partition too.
 *
 * Writers of the table never wait for it, nor do readers for longer than `lockTimeoutMs`, as long as
 * the default partition is empty. It gives up and tries again for some seconds when it cannot get a
 * lock. Any number of callers may run at once. A wrong clock makes empty partitions and nothing else.
 * @throws RangeError for a clock or number out of range; Error that names each partition that could
 * not be made, such as one whose rows stand in the default partition already, after the others were
 */
export async function ensurePartitions(
  pool: Pool,
  options: PartitionOptions & { readonly now: Date },
): Promise<readonly string[]> {
  const { now, monthsAhead = 3, lockTimeoutMs = 200 } = options;
  const table = identifier(options.table);
  const wanted = partitionsFrom(table, now, monthsAhead);
  const present = await presentPartitions(pool, table);
  const made: string[] = [];
  const faults: Error[] = [];
  for (const partition of wanted.filter(({ name }) => !present.has(name))) {
    try {
      const make = () => makePartition(pool, table, partition, lockTimeoutMs);
      if (await withPatience(make, { tries: LOCK_TRIES_MAX, pauseMs: lockTimeoutMs })) {
        made.push(partition.name);
      }
    } catch (cause) {
      faults.push(fault(partition, cause));
    }
  }
  if (faults.length === 0) return made;
  const [only] = faults;
  if (faults.length === 1) throw only;
  throw new AggregateError(faults, faults.map(({ message }) => message).join("; "));
}

/**
 * Keeps the partitions of a table ahead of time: looks every `everyMs` (an hour), and after a fault
 * every `retryMs` (a minute), until it is disposed. Resolves after the first look, whether or not it
 * succeeded, so wait for it before the first row is written: a month that has rows in the default
 * partition can get none of its own before an operator moves them. Each replica may do so.
 */
export async function keepPartitions(
  options: PartitionOptions & {
    readonly pool: Pool;
    /** The clock that the keys are made by. */
    readonly now: () => Date;
    readonly everyMs?: number;
    readonly retryMs?: number;
    /** Told of a failure; rows go to the default partition, and the next look tries again. */
    readonly onFault?: (error: unknown) => void;
  },
): Promise<AsyncDisposable> {
  const { pool, now, everyMs = HOUR_MS, retryMs = MINUTE_MS, onFault = () => {} } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  /** Returns how long to wait for the next look. */
  async function look(): Promise<number> {
    try {
      await ensurePartitions(pool, { ...options, now: now() });
      return everyMs;
    } catch (error) {
      onFault(error);
      return retryMs;
    }
  }

  let pauseMs = await look();
  const working = (async () => {
    while (!signal.aborted) {
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) pauseMs = await look();
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await working;
    },
  };
}

function partitionsFrom(table: string, now: Date, monthsAhead: number): readonly Partition[] {
  if (!(Number.isInteger(monthsAhead) && monthsAhead >= 0 && monthsAhead <= MONTHS_AHEAD_MAX)) {
    throw new RangeError(`cannot make partitions ${monthsAhead} months ahead`);
  }
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return Array.from({ length: monthsAhead + 1 }, (_, ahead) => {
    const from = new Date(Date.UTC(year, month + ahead));
    const to = new Date(Date.UTC(year, month + ahead + 1));
    return { from: firstUuid(from), to: firstUuid(to), name: nameOf(table, from) };
  });
}

function nameOf(table: string, month: Date): string {
  const number = String(month.getUTCMonth() + 1).padStart(2, "0");
  return identifier(`${table}_${String(month.getUTCFullYear()).padStart(4, "0")}_${number}`);
}

/** No UUIDv7 of that millisecond or later is below it, and all earlier ones are. */
function firstUuid(time: Date): string {
  const ms = time.getTime();
  if (!(ms >= 0 && ms <= TIME_MAX)) throw new RangeError(`no UUIDv7 can tell the time ${ms}`);
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

async function presentPartitions(tx: Tx, table: string): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ name: string }>(
    `select child.relname as name
     from pg_inherits
     join pg_class child on child.oid = inhrelid
     where inhparent = $1::regclass`,
    [table],
  );
  return new Set(rows.map(({ name }) => name));
}

/** Returns false when somebody else has made it meanwhile. */
function makePartition(
  pool: Pool,
  table: string,
  partition: Partition,
  lockTimeoutMs: number,
): Promise<boolean> {
  const { name, from, to } = partition;
  return withTransaction(pool, async (tx) => {
    await tx.query(`set local lock_timeout = ${Math.trunc(lockTimeoutMs)}`);
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1 || current_schema, 0))", [
      `partitions:${table}:`,
    ]);
    if ((await presentPartitions(tx, table)).has(name)) return false;
    await demandNoRows(tx, table, partition);
    // Not "create table … partition of", which would lock the table against its writers. Columns of
    // a partition may not be identities: the table numbers them.
    await tx.query(`create table ${name} (like ${table} including all excluding identity)`);
    await guardFromTruncate(tx, table, name);
    await tx.query(
      `alter table ${table} attach partition ${name} for values from ('${from}') to ('${to}')`,
    );
    return true;
  });
}

/** Triggers for each row come with the table; those before truncate are of one table only. */
async function guardFromTruncate(tx: Tx, table: string, partition: string): Promise<void> {
  const { rows } = await tx.query<{ name: string; function: string }>(
    `select quote_ident(tgname) as name, tgfoid::regproc as function
     from pg_trigger
     where tgrelid = $1::regclass and not tgisinternal and tgtype & ${BEFORE_TRUNCATE} = ${BEFORE_TRUNCATE}`,
    [table],
  );
  for (const trigger of rows) {
    await tx.query(
      `create trigger ${trigger.name} before truncate on ${partition}
         for each statement execute function ${trigger.function}()`,
    );
  }
}

/** Postgres would also find them, but only after it had locked the default partition and read it all. */
async function demandNoRows(tx: Tx, table: string, { from, to }: Partition): Promise<void> {
  const { rows } = await tx.query<{ fallback: string; key: string }>(
    `select partdefid::regclass as fallback, quote_ident(attname) as key
     from pg_partitioned_table
     join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
     where partrelid = $1::regclass and partdefid <> 0`,
    [table],
  );
  for (const { fallback, key } of rows) {
    const { rowCount } = await tx.query(
      `select from ${fallback} where ${key} >= $1 and ${key} < $2 limit 1`,
      [from, to],
    );
    if (rowCount !== 0) throw new Error(`${fallback} has rows of that month, which must be moved`);
  }
}

function fault({ name }: Partition, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`partition ${name} cannot be made: ${reason}`, { cause });
}
