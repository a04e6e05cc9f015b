import { randomUUIDv7 } from "node:crypto";
import { type AddressInfo, connect, createServer } from "node:net";
import { createPool, ensurePartitions, isOutage } from "@bourse/postgres";
import { Client } from "pg";
import { describe, expect, test, vi } from "vitest";
import { MOVEMENT_TABLES } from "../src/postgres.ts";
import { createQueue } from "../src/queue.ts";
import type { LedgerStore } from "../src/store.ts";
import {
  amountsOf,
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  openDatabase,
  openStores,
  outcomeOf,
  recordOf,
  settleOf,
  waitingBackends,
} from "./books.ts";
import { booksForFile, keepBooksTrue } from "./opened.ts";

const { database, store } = await booksForFile();
keepBooksTrue(store);

/** A name that no other test uses. */
function aName(): string {
  return `a-${randomUUIDv7()}`;
}

async function outcomesOf(commands: Parameters<LedgerStore["commit"]>[0]): Promise<string[]> {
  return (await store.commit(commands)).answers.map(outcomeOf);
}

async function balanceOf(owner: string) {
  const { accounts } = await store.balances(owner, { holdsMax: 10 });
  return amountsOf(accounts[0]);
}

describe("a batch", () => {
  test("opens no account for what it refuses", async () => {
    const [payer, provider] = [aName(), aName()];

    const outcomes = await outcomesOf([recordOf({ payer, provider })]);

    expect(outcomes).toEqual(["INSUFFICIENT_FUNDS"]);
    for (const owner of [payer, provider]) {
      expect((await store.balances(owner, { holdsMax: 1 })).accounts).toEqual([]);
    }
  });

  test("gives each command the meaning it has after those before it", async () => {
    const [payer, provider, third] = [aName(), aName(), aName()];
    const paid = recordOf({ payer, provider });
    const passedOn = recordOf({ payer: provider, provider: third });
    const tooMuch = recordOf({ payer, provider, amount: eur(901) });

    const outcomes = await outcomesOf([
      settleOf(paid.terms.id),
      depositOf({ owner: payer }),
      paid,
      settleOf(paid.terms.id, eur(100)),
      passedOn,
      cancelOf(passedOn.terms.id),
      tooMuch,
      tooMuch,
    ]);

    expect(outcomes).toEqual([
      "TRANSACTION_NOT_FOUND",
      "ok",
      "PENDING",
      "SETTLED",
      "PENDING",
      "CANCELLED",
      "INSUFFICIENT_FUNDS",
      "TRANSACTION_ID_BURNT",
    ]);
    expect(await balanceOf(payer)).toEqual({ posted: 900n, held: 0n });
    expect(await balanceOf(provider)).toEqual({ posted: 100n, held: 0n });
  });

  test("does once what it bears twice", async () => {
    const [payer, provider] = [aName(), aName()];
    const deposit = depositOf({ owner: payer });
    const record = recordOf({ payer, provider });
    const other = recordOf({ ...record.terms, amount: eur(7) });
    const settle = settleOf(record.terms.id);

    const outcomes = await outcomesOf([deposit, deposit, record, record, other, settle, settle]);

    expect(outcomes).toEqual([
      "ok",
      "ok",
      "PENDING",
      "PENDING",
      "TRANSACTION_ID_REUSED",
      "SETTLED",
      "SETTLED",
    ]);
    expect(await balanceOf(payer)).toEqual({ posted: 900n, held: 0n });
  });

  test("keeps the memory of an id that was refused for want of funds, beside what it did do", async () => {
    const [payer, provider] = [aName(), aName()];
    const record = recordOf({ payer, provider });

    const refused = await outcomesOf([record, depositOf({ owner: payer })]);
    const late = await outcomesOf([record]);

    expect(refused).toEqual(["INSUFFICIENT_FUNDS", "ok"]);
    expect(late).toEqual(["TRANSACTION_ID_BURNT"]);
  });

  test("writes nothing at all when it cannot be written", async () => {
    const owner = aName();
    const broken = recordOf({ payer: owner, capability: "nul \0 is no text to Postgres" });

    await expect(store.commit([depositOf({ owner }), broken])).rejects.toThrow("0x00");

    expect(await balanceOf(owner)).toEqual({ posted: 0n, held: 0n });
  });

  test("that cannot be written does not take its neighbours in the queue with it", async () => {
    const owner = aName();
    await using queue = createQueue({
      store,
      tell: () => {},
      batchMax: 10,
      queueMax: 10,
      lanes: 1,
    });
    const broken = recordOf({ payer: owner, capability: "nul \0 is no text to Postgres" });

    const [before, failed, after] = await Promise.allSettled([
      queue.submit([depositOf({ owner })]),
      queue.submit([broken]),
      queue.submit([depositOf({ owner })]),
    ]);

    expect([before.status, failed.status, after.status]).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await balanceOf(owner)).toEqual({ posted: 2_000n, held: 0n });
  });
});

describe("many callers at once", () => {
  test("get no more than there is: of fifty holds on funds for twenty exactly twenty succeed", async () => {
    const payer = aName();
    await store.commit([depositOf({ owner: payer, amount: eur(2_000) })]);
    const records = Array.from({ length: 50 }, () => recordOf({ payer, provider: aName() }));

    const outcomes = await Promise.all(records.map((record) => outcomesOf([record])));

    const held = outcomes.flat().filter((outcome) => outcome === "PENDING");
    expect(held).toHaveLength(20);
    expect(outcomes.flat().filter((outcome) => outcome === "INSUFFICIENT_FUNDS")).toHaveLength(30);
    expect(await balanceOf(payer)).toEqual({ posted: 2_000n, held: 2_000n });
  });

  test("open an account once, and what comes in first is seen by what goes out", async () => {
    const owner = aName();
    const deposits = Array.from({ length: 20 }, () => depositOf({ owner, amount: eur(10) }));

    await Promise.all(deposits.map((deposit) => store.commit([deposit])));

    expect(await balanceOf(owner)).toEqual({ posted: 200n, held: 0n });
  });

  test("with the same id and content get the same, and it happens once", async () => {
    const [payer, provider] = [aName(), aName()];
    await store.commit([depositOf({ owner: payer })]);
    const record = recordOf({ payer, provider });

    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomesOf([record])));

    expect(new Set(outcomes.flat())).toEqual(new Set(["PENDING"]));
    expect(await balanceOf(payer)).toEqual({ posted: 1_000n, held: 100n });
  });

  test("with the same id and other accounts: one wins, the others are told which field differs", async () => {
    const payers = Array.from({ length: 8 }, aName);
    await store.commit(payers.map((owner) => depositOf({ owner })));
    const id = randomUUIDv7();

    const outcomes = await Promise.all(
      payers.map((payer) => outcomesOf([recordOf({ id, payer })])),
    );

    expect(outcomes.flat().sort()).toEqual([
      "PENDING",
      ...Array.from({ length: 7 }, () => "TRANSACTION_ID_REUSED"),
    ]);
  });

  test("of two processes over the same accounts in opposite directions neither deadlock nor lose money", async () => {
    const names = Array.from({ length: 6 }, aName);
    await store.commit(names.map((owner) => depositOf({ owner })));
    await using processes = new AsyncDisposableStack();
    const queues = [0, 1].map(() => {
      const pool = createPool(database.url, { schema: "ledger", max: 4 });
      processes.defer(() => pool.end());
      const { ledger } = openStores({ ...database, pool });
      return processes.use(
        createQueue({ store: ledger, tell: () => {}, batchMax: 16, queueMax: 1_000, lanes: 1 }),
      );
    });
    const name = (nth: number) => names[nth % names.length] ?? "";

    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, nth) => {
        const queue = queues[nth % 2];
        const record = recordOf({ payer: name(nth), provider: name(nth * 5 + 1), amount: eur(7) });
        await queue?.submit([record]);
        const other = queues[(nth + 1) % 2];
        const end = nth % 3 === 0 ? cancelOf(record.terms.id) : settleOf(record.terms.id);
        const [answer] = (await other?.submit([end])) ?? [];
        return outcomeOf(answer);
      }),
    );

    const balances = await Promise.all(names.map(balanceOf));
    expect(new Set(answers)).toEqual(new Set(["SETTLED", "CANCELLED"]));
    expect(balances.reduce((sum, { posted }) => sum + posted, 0n)).toBe(6_000n);
    expect(balances.every(({ held }) => held === 0n)).toBe(true);
  });
});

describe("an answer", () => {
  test("comes after the commit, so one that is killed before has no answer and has done nothing", async () => {
    const owner = aName();
    await store.commit([depositOf({ owner })]);
    const pool = createPool(database.url, { schema: "ledger", max: 1, applicationName: "victim" });
    const { ledger } = openStores({ ...database, pool });
    await using queue = createQueue({
      store: ledger,
      tell: () => {},
      batchMax: 9,
      queueMax: 9,
      lanes: 1,
    });
    await using blocker = await lockAccount(owner);
    const deposit = depositOf({ owner });
    const answered = vi.fn();
    const outcome = queue.submit([deposit]).then(answered, (error) => error);
    await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));

    await blocker.client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'",
    );

    expect(isOutage(await outcome)).toBe(true);
    expect(answered).not.toHaveBeenCalled();
    await blocker.client.query("rollback");
    expect(await balanceOf(owner)).toEqual({ posted: 1_000n, held: 0n });
    expect(await outcomesOf([deposit, deposit])).toEqual(["ok", "ok"]);
    expect(await balanceOf(owner)).toEqual({ posted: 2_000n, held: 0n });
    await pool.end();
  });

  test("that is lost with the connection after the commit is given again under the same id", async () => {
    const [owner, provider] = [aName(), aName()];
    await store.commit([depositOf({ owner })]);
    await using proxy = await cutAfterCommit(new URL(database.url));
    const pool = createPool(proxy.url, { schema: "ledger", max: 1 });
    const { ledger } = openStores({ ...database, pool });
    await using queue = createQueue({
      store: ledger,
      tell: () => {},
      batchMax: 9,
      queueMax: 9,
      lanes: 1,
    });
    const commands = [
      recordOf({ payer: owner, provider }),
      depositOf({ owner }),
      recordOf({ payer: owner, provider, amount: eur(5_000) }),
    ];

    const first = await Promise.allSettled(commands.map((command) => queue.submit([command])));
    const after = await balanceOf(owner);
    const again = await outcomesOf(commands);
    await pool.end();

    expect(first.map((outcome) => "reason" in outcome && isOutage(outcome.reason))).toEqual(
      commands.map(() => true),
    );
    expect(after).toEqual({ posted: 2_000n, held: 100n });
    expect(again).toEqual(["PENDING", "ok", "TRANSACTION_ID_BURNT"]);
    expect(await balanceOf(owner)).toEqual(after);
  });

  /** Leads to the database, and drops the connection when the answer to a commit comes back. */
  async function cutAfterCommit(target: URL) {
    const server = createServer((client) => {
      const upstream = connect(Number(target.port || 5_432), target.hostname);
      let isCommitting = false;
      client.on("data", (bytes) => {
        isCommitting ||= bytes.includes("commit\0");
        upstream.write(bytes);
      });
      upstream.on("data", (bytes) => (isCommitting ? client.destroy() : client.write(bytes)));
      for (const socket of [client, upstream]) socket.on("error", () => {});
      client.on("close", () => upstream.destroy());
      upstream.on("close", () => client.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = new URL(target);
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const close = () => new Promise((resolve) => server.close(resolve));
    return { url: url.href, [Symbol.asyncDispose]: async () => void (await close()) };
  }

  test("says that the ledger is busy when too many wait, and nothing was done for it", async () => {
    const owner = aName();
    await store.commit([depositOf({ owner })]);
    await using queue = createQueue({ store, tell: () => {}, batchMax: 1, queueMax: 2, lanes: 1 });
    const blocker = await lockAccount(owner);
    const first = queue.submit([depositOf({ owner })]);
    await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));
    const waiting = [queue.submit([depositOf({ owner })]), queue.submit([depositOf({ owner })])];

    const refused = await queue.submit([depositOf({ owner })]).catch((error) => error);
    await blocker[Symbol.asyncDispose]();
    await Promise.all([first, ...waiting]);

    expect(refused).toMatchObject({ reason: "LEDGER_BUSY", retryAfterMs: 200 });
    expect(await balanceOf(owner)).toEqual({ posted: 4_000n, held: 0n });
  });

  async function lockAccount(owner: string) {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query("begin");
    await client.query("select from ledger.accounts where owner = $1 for update", [owner]);
    return { client, [Symbol.asyncDispose]: () => client.end() };
  }
});

describe("the tables", () => {
  test.each(["movement_pages", "movement_rows", "evidence"])(
    "refuse to change or drop a line of %s",
    async (table) => {
      const owner = aName();
      const record = recordOf({ payer: owner });
      await store.commit([depositOf({ owner })]);
      await store.commit([record]);
      await store.commit([disputeOf(record.terms.id)]);

      for (const statement of [`update ${table} set nth = 9`, `delete from ${table}`]) {
        await expect(database.pool.query(statement)).rejects.toMatchObject({
          constraint: expect.stringMatching(`^${table}_(immutable|kept)$`),
        });
      }
    },
  );

  test("refuse it also where a statement names a partition", async () => {
    await using own = await openDatabase();
    const { pool } = own;
    const { ledger } = openStores(own);
    const owner = aName();
    for (const table of MOVEMENT_TABLES) {
      await ensurePartitions(pool, { table, now: new Date(), monthsAhead: 0 });
    }
    // The accounts are opened under lock, and paid between from memory.
    for (const command of [depositOf({ owner }), ...[1, 2].map(() => recordOf({ payer: owner }))]) {
      await ledger.commit([command]);
    }
    const { rows } = await pool.query<{ month: string }>(
      `select distinct tableoid::regclass::text as month from movement_pages
       union select distinct tableoid::regclass::text from movement_rows`,
    );
    const months = rows.map(({ month }) => month);
    expect(months.toSorted()).toEqual([
      expect.stringMatching(/^movement_pages_\d{4}_\d{2}$/),
      expect.stringMatching(/^movement_rows_\d{4}_\d{2}$/),
    ]);

    for (const month of months) {
      await expect(pool.query(`delete from ${month}`)).rejects.toMatchObject({
        constraint: expect.stringMatching(/^movement_(pages|rows)_immutable$/),
      });
    }
    for (const each of [...months, ...MOVEMENT_TABLES.map((table) => `${table}_default`)]) {
      await expect(pool.query(`truncate ${each}`)).rejects.toMatchObject({
        constraint: expect.stringMatching(/^movement_(pages|rows)_not_truncated$/),
      });
    }
  });
});
