import { randomUUID } from "node:crypto";
import { Rule, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { expect, test } from "vitest";
import { euros } from "../support/journal.ts";
import { startLedgers } from "../support/ledgers.ts";
import { persist } from "../support/persistence.ts";

test("a ledger alone gives back what was not delivered, also after it was killed", async () => {
  await using ledgers = await startLedgers(1);
  const [connection] = ledgers.connections;
  const [process] = ledgers.victims;
  if (connection === undefined || process === undefined) throw new Error("no ledger was started");
  const { ledger } = connection;
  await ledger.deposit({ depositId: randomUUID(), owner: "ann", amount: euros(1_000) });
  const transactionId = randomUUID();
  await ledger.recordTransaction({
    ...{ transactionId, payer: "ann", provider: "bob", capability: "any", amount: euros(300) },
    holdTimeout: { seconds: 1n, nanos: 0 },
  });

  process.kill();

  const read = async () => (await ledger.getTransaction({ transactionId })).transaction;
  const stateOf = async () => (await persist(read))?.state;
  await expect.poll(stateOf, { interval: 100 }).toBe(TransactionState.CANCELLED);
  const { accounts, openHolds } = await ledger.getBalances({ owner: "ann" });
  expect(await read()).toMatchObject({ endRule: Rule.NOT_DELIVERED });
  expect(accounts).toMatchObject([{ postedMicros: 1_000n, availableMicros: 1_000n }]);
  expect(openHolds).toEqual([]);
}, 60_000);
