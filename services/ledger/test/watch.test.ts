import { randomUUIDv7 } from "node:crypto";
import {
  TransactionState,
  TransactionStateSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  PartyRole,
  type WatchTransactionsRequestSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { reasonOf, streamed } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createStatementStore } from "../src/postgres/statements.ts";
import type { LedgerStore } from "../src/store.ts";
import { watchJournal } from "../src/watch.ts";
import { cancelOf, depositOf, openStores, recordOf, settleOf } from "./books.ts";
import { startLedger, type TestLedger } from "./server.ts";

type Asked = MessageInitShape<typeof WatchTransactionsRequestSchema>;

let market: TestLedger;
/** Another process on the same books. */
let other: LedgerStore;

beforeAll(async () => {
  market = await startLedger();
  other = openStores(market.database).ledger;
});
afterAll(() => market[Symbol.asyncDispose]());

/** A payer with 1,000 micros and a provider whom no other test knows. */
async function aPair() {
  const [payer, provider] = [`ann-${randomUUIDv7()}`, `bob-${randomUUIDv7()}`];
  await other.commit([depositOf({ owner: payer })]);
  return { payer, provider };
}

/** Watches until it is disposed; `begun` when it would hear of anything new. */
async function watching(request: Asked, principal = "auditor") {
  const { ledger } = market.as(principal);
  const leaving = new AbortController();
  const told: { id: string; state: string; token: string }[] = [];
  const begun = Promise.withResolvers<string>();
  const ended = (async () => {
    const stream = streamed(
      (signal) => ledger.watchTransactions(request, { signal }),
      leaving.signal,
    );
    for await (const { event, resumeToken: token } of stream) {
      if (event.case === "idle") begun.resolve(token);
      if (event.case !== "transaction") continue;
      const { transactionId: id, state } = event.value;
      told.push({ id, state: nameOf(state), token });
    }
  })();
  ended.catch(begun.reject);
  const token = await begun.promise;
  return {
    told,
    token,
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await ended.catch(() => {});
    },
  };
}

const nameOf = (state: TransactionState) => TransactionStateSchema.value[state]?.localName ?? "";

const statesOf = (told: readonly { id: string; state: string }[], id: string) =>
  told.filter((one) => one.id === id).map(({ state }) => state);

describe("a watcher", () => {
  test("hears of each step, whichever process commits it", async () => {
    const pair = await aPair();
    await using watcher = await watching({ agentId: pair.payer });
    const record = recordOf(pair);
    const { id } = record.terms;
    const heard = () => expect.poll(() => statesOf(watcher.told, id).at(-1));

    await other.commit([record]);
    await heard().toBe("PENDING");
    await market.as(`agent:${pair.payer}`).ledger.flagDispute({ transactionId: id });
    await heard().toBe("DISPUTED");
    await market
      .as("operator")
      .ledger.resolveDispute({ transactionId: id, providerShareBps: 10_000, reason: "fine" });
    await heard().toBe("SETTLED");
  });

  test("goes on behind any token without a gap", async () => {
    const pair = await aPair();
    await using watcher = await watching({ agentId: pair.payer });
    const records = Array.from({ length: 6 }, () => recordOf(pair));
    await other.commit(records.slice(0, 3));
    for (const record of records.slice(3)) await other.commit([record]);
    const ids = records.map(({ terms }) => terms.id);
    await expect.poll(() => watcher.told.length).toBeGreaterThanOrEqual(6);

    const tokens = [watcher.token, ...watcher.told.map(({ token }) => token)];
    for (const [nth, resumeToken] of tokens.entries()) {
      await using resumed = await watching({ agentId: pair.payer, resumeToken });
      const told = new Set(watcher.told.slice(0, nth).map(({ id }) => id));
      const heard = () => new Set([...told, ...resumed.told.map(({ id }) => id)]);

      await expect.poll(heard).toEqual(new Set(ids));
    }
  });

  test("ends up with the states of the books, however often it breaks off", async () => {
    const pairs = [await aPair(), await aPair()];
    const view = new Map<string, string>();
    let resumeToken = (await watching({})).token;
    const writers = pairs.map(async (pair, nth) => {
      for (let step = 0; step < 30; step++) {
        const record = recordOf({ ...pair, amount: { micros: 1n, currency: "EUR" } });
        const { id } = record.terms;
        await (nth === 0 ? other : openStores(market.database).ledger).commit([record]);
        if (step % 3 === 0) await other.commit([settleOf(id)]);
        if (step % 3 === 1) await other.commit([cancelOf(id)]);
      }
    });
    const truth = async () => {
      const found = await Promise.all(
        pairs.map(({ payer }) => market.as("auditor").ledger.listTransactions({ agentId: payer })),
      );
      return new Map(
        found.flatMap(({ transactions }) =>
          transactions.map((one) => [one.transactionId, nameOf(one.state)] as const),
        ),
      );
    };
    let heard = 0;
    while (view.size < 60) {
      const stream = streamed((signal) =>
        market.as("auditor").ledger.watchTransactions({ resumeToken }, { signal }),
      );
      for await (const { event, resumeToken: token } of stream) {
        resumeToken = token;
        heard++;
        if (event.case === "transaction") {
          const { transactionId, payer, state } = event.value;
          if (pairs.some((pair) => pair.payer === payer)) view.set(transactionId, nameOf(state));
        }
        if (heard % 7 === 0 || view.size === 60) break;
      }
    }
    await Promise.all(writers);
    await using rest = await watching({ resumeToken });
    const seen = () => {
      for (const { id, state } of rest.told) view.set(id, state);
      return view;
    };

    await expect.poll(seen).toEqual(await truth());
  });

  test("hears only of what passes its filter", async () => {
    const pair = await aPair();
    await using settled = await watching({
      agentId: pair.provider,
      role: PartyRole.PROVIDER,
      states: [TransactionState.SETTLED],
    });
    await using paying = await watching({ agentId: pair.provider, role: PartyRole.PAYER });
    await using all = await watching({ agentId: pair.provider });
    const [first, second] = [recordOf(pair), recordOf(pair)];
    await other.commit([first, second]);
    await other.commit([settleOf(second.terms.id)]);
    const wholeStory = () => statesOf(all.told, second.terms.id).at(-1);
    await expect.poll(wholeStory).toBe("SETTLED");

    await expect.poll(() => settled.told.length).toBeGreaterThan(0);
    expect(new Set(settled.told.map(({ id }) => id))).toEqual(new Set([second.terms.id]));
    expect(paying.told).toEqual([]);
  });

  test("that is an agent hears of its own transactions and no others", async () => {
    const { payer, provider } = await aPair();
    await using watcher = await watching({ agentId: payer }, `agent:${payer}`);

    expect(watcher.token).not.toBe("");
    expect(await refusal(watching({ agentId: provider }, `agent:${payer}`))).toBe(
      "PERMISSION_DENIED",
    );
    expect(await refusal(watching({}, `agent:${payer}`))).toBe("PERMISSION_DENIED");
  });

  test.each(["x", "1", "0-ffffffffffffffff", "1-0000000000000000", "999999-0000000000000000"])(
    "with the token %j, which is of no such books, is refused",
    async (resumeToken) => {
      await aPair();
      expect(await refusal(watching({ resumeToken }))).toBe("INVALID_RESUME_TOKEN");
    },
  );
});

test("any number of watchers cost the database what one costs", async () => {
  const { pool } = market.database;
  const store = createStatementStore({ pool, summaryPool: pool });
  const reads: string[] = [];
  const { watch } = watchJournal(
    {
      ...store,
      changesAfter: (after, until) => {
        reads.push(`${after.sequence}`);
        return store.changesAfter(after, until);
      },
    },
    { pollMs: 20 },
  );
  const pair = await aPair();
  const leaving = new AbortController();
  const heard: string[] = [];
  const watchers = Array.from({ length: 30 }, () =>
    watch({ token: "", wants: () => true, idleMs: 60_000, signal: leaving.signal }),
  );
  for (const watcher of watchers) await watcher.next();
  const listening = watchers.map(async (watcher) => {
    for await (const event of watcher) {
      if (event.kind === "change") heard.push(event.transaction.id);
    }
  });

  for (let nth = 0; nth < 5; nth++) {
    const record = recordOf(pair);
    await other.commit([record]);
    const ears = () => heard.filter((id) => id === record.terms.id).length;
    await expect.poll(ears).toBe(30);
  }
  leaving.abort();
  await Promise.all(listening);

  expect(reads).toEqual([...new Set(reads)]);
});

async function refusal(call: Promise<unknown>) {
  return reasonOf(await call.then(undefined, (error) => error));
}
