import { randomUUIDv7 } from "node:crypto";
import type { TestDatabase } from "@bourse/postgres/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Command } from "../src/command.ts";
import { createMemoryCommit } from "../src/postgres/from-memory.ts";
import type { LedgerStore } from "../src/store.ts";
import {
  AUCTION,
  depositOf,
  openDatabase,
  openStores,
  outcomeOf,
  recordOf,
  settleOf,
} from "./books.ts";

let database: TestDatabase;
let store: LedgerStore;
beforeAll(async () => {
  database = await openDatabase();
  store = openStores(database).ledger;
});
afterAll(() => database?.[Symbol.asyncDispose]());

/** What one process commits from memory; "under lock" when it leaves that to the other road. */
function aProcess() {
  const stamps = { now: new Date(), newId: randomUUIDv7 };
  let last = BigInt(Date.now()) * 1_000_000n;
  const commit = createMemoryCommit({
    pool: database.pool,
    stamp: () => ({ ...stamps, newStamp: () => ++last }),
  });
  return async (...commands: readonly Command[]) => {
    const committed = await commit(commands);
    return committed === undefined ? "under lock" : outcomeOf(committed.answers.at(-1));
  };
}

/** A payer with money, whose account and provider are there. */
async function aPayer(): Promise<string> {
  const payer = `payer-${randomUUIDv7()}`;
  await store.commit([depositOf({ owner: payer }), recordOf({ payer })]);
  return payer;
}

describe("what is more than a payment is decided under lock, and keeps no other from memory", () => {
  test("a payment that was delivered for", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const hold = recordOf({ payer });
    const { id } = hold.terms;
    const told = { kind: "deliver", id, caller: AUCTION, sha256: "", reference: "" } as const;
    const deliver: Command = { ...told, latencyMs: undefined };
    expect(await process(hold)).toBe("PENDING");
    expect(await process(deliver)).toBe("under lock");
    await store.commit([deliver]);

    expect(await process(settleOf(id))).toBe("under lock");
    expect(await process(recordOf({ payer }))).toBe("PENDING");
  });

  test("one that has ended and is asked for again, beside others", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const hold = recordOf({ payer });
    const settle = settleOf(hold.terms.id);
    expect(await process(hold, settle)).toBe("SETTLED");

    expect(await process(recordOf({ payer }), settle)).toBe("under lock");
    expect(await process(recordOf({ payer }))).toBe("PENDING");
  });
});

describe("a deposit that was made before has its first answer", () => {
  test("also when it would not fit any more", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const amount = { micros: 8_000_000_000_000_000_000n, currency: `X${randomUUIDv7().slice(-6)}` };
    const deposit = depositOf({ owner: payer, amount });
    await store.commit([deposit]);

    expect(await process(recordOf({ payer }), deposit)).toBe("under lock");
  });
});
