import { randomUUIDv7 } from "node:crypto";
import { withTransaction } from "@bourse/postgres";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLedger, type TestLedger } from "./server.ts";

const SECRET = "a word to no one else";

let market: TestLedger;
beforeAll(async () => {
  market = await startLedger();
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

const eur = (micros: number) => ({ micros: BigInt(micros), currencyCode: "EUR" });
const operator = () => market.as("operator").ledger;
const registry = () => market.as("service:registry").ledger;
const anAlias = () => `erased-${randomUUIDv7().replaceAll("-", "").slice(8)}`;

/** Names that no other test uses; the payer has 1,000 micros. */
async function aPair() {
  const payer = `payer-${randomUUIDv7()}`;
  const provider = `provider-${randomUUIDv7()}`;
  await operator().deposit({ depositId: randomUUIDv7(), owner: payer, amount: eur(1_000) });
  return { payer, provider };
}

/** A transaction of 400 that the payer recorded, with notes. */
async function aTransaction(extra: object = {}) {
  const pair = await aPair();
  const transactionId = randomUUIDv7();
  const context = { note: SECRET, task_id: "task-1" };
  await market.as(`agent:${pair.payer}`).ledger.recordTransaction({
    transactionId,
    ...pair,
    capability: "translate",
    amount: eur(400),
    context,
    ...extra,
  });
  return { ...pair, transactionId };
}

async function empty(owner: string): Promise<void> {
  const { accounts } = await operator().getBalances({ owner });
  for (const { availableMicros: micros, currencyCode } of accounts) {
    if (micros === 0n) continue;
    const amount = { micros, currencyCode };
    await operator().withdraw({ withdrawalId: randomUUIDv7(), owner, amount });
  }
}

async function refusalOf(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  return { reason: reasonOf(error), metadata: metadataOf(error) };
}

/** Every row of every table of the ledger as one text, bytes as they are. */
async function dump(): Promise<string> {
  const { rows: tables } = await market.database.pool.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'ledger' order by 1",
  );
  let text = "";
  for (const { name } of tables) {
    const query = `select * from ${name} t order by t::text`;
    const { rows } = await market.database.pool.query<Record<string, unknown>>(query);
    for (const value of rows.flatMap((row) => Object.values(row))) {
      text += Buffer.isBuffer(value) ? value.toString("latin1") : JSON.stringify(value);
    }
  }
  return text;
}

async function isSound(): Promise<void> {
  const { ledger, lineage } = market.as("auditor");
  expect((await ledger.verify({})).divergences).toEqual([]);
  expect((await lineage.verifyChain({})).ok).toBe(true);
}

describe("EraseAgent", () => {
  test("puts the alias in the place of a party, and takes what was noted, shown and ruled", async () => {
    const { payer, provider, transactionId } = await aTransaction();
    const evidence = [
      { note: SECRET, reference: `https://${provider}.example`, sha256: "ab".repeat(32) },
    ];
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId, evidence });
    await operator().resolveDispute({
      requestId: `of-${payer}`,
      transactionId,
      providerShareBps: 5_000,
      reason: SECRET,
    });
    await market.as("service:auction").lineage.appendEvents({
      events: [
        {
          eventId: randomUUIDv7(),
          type: "task_awarded",
          eventTime: timestampFromDate(new Date()),
          subjects: { requester: payer, winner: provider },
        },
      ],
    });
    await empty(payer);
    await empty(provider);
    const [first, second] = [anAlias(), anAlias()];

    await registry().eraseAgent({ agentId: payer, alias: first });
    await registry().eraseAgent({ agentId: payer, alias: first });
    await registry().eraseAgent({ agentId: provider, alias: second });

    const text = await dump();
    for (const gone of [payer, provider, SECRET]) expect(text).not.toContain(gone);
    const { transaction } = await operator().getTransaction({ transactionId });
    expect(transaction).toMatchObject({
      payer: first,
      provider: second,
      context: { task_id: "task-1" },
    });
    const { transactions } = await operator().listTransactions({ agentId: first });
    expect(transactions.map((one) => one.transactionId)).toEqual([transactionId]);
    await isSound();
  });

  test("destroys the link to a pseudonym, so that nobody finds its events again", async () => {
    const agentId = `agent-${randomUUIDv7()}`;
    const { lineage } = market.as("service:auction");
    const event = {
      eventId: randomUUIDv7(),
      type: "agent_registered",
      eventTime: timestampFromDate(new Date()),
      subjects: { agent: agentId },
    };
    await lineage.appendEvents({ events: [event] });
    const { events: before } = await lineage.queryEvents({ subject: agentId });

    await registry().eraseAgent({ agentId, alias: anAlias() });
    await lineage.appendEvents({ events: [event] });

    expect(before).toHaveLength(1);
    expect((await lineage.queryEvents({ subject: agentId })).events).toEqual([]);
    await isSound();
  });

  test("keeps credits under the alias, in an account that pays nothing any more", async () => {
    const agentId = `agent-${randomUUIDv7()}`;
    const amount = { micros: 2_741_600n, currencyCode: "CRD" };
    await market
      .as("service:auction")
      .ledger.postCredits({ creditId: randomUUIDv7(), agentId, amount, taskId: "task-1" });
    const alias = anAlias();

    await registry().eraseAgent({ agentId, alias });

    const { accounts } = await operator().getBalances({ owner: alias });
    expect(accounts).toMatchObject([{ postedMicros: amount.micros, currencyCode: "CRD" }]);
    const taken = operator().withdraw({ withdrawalId: randomUUIDv7(), owner: alias, amount });
    expect(await refusalOf(taken)).toMatchObject({ reason: "ACCOUNT_FROZEN" });
    await isSound();
  });

  test("gives the name away: money that comes under it again is another account's", async () => {
    const { payer } = await aPair();
    await empty(payer);
    const alias = anAlias();

    await registry().eraseAgent({ agentId: payer, alias });
    await operator().deposit({ depositId: randomUUIDv7(), owner: payer, amount: eur(7) });

    const [old, fresh] = await Promise.all([
      operator().getBalances({ owner: alias }),
      operator().getBalances({ owner: payer }),
    ]);
    expect(old.accounts).toMatchObject([{ postedMicros: 0n }]);
    expect(fresh.accounts).toMatchObject([{ postedMicros: 7n }]);
    await empty(payer);
    await registry().eraseAgent({ agentId: payer, alias });
    expect((await operator().getBalances({ owner: payer })).accounts).toEqual([]);
    await isSound();
  });

  test("leaves a late dispute about a payment to end by a ruling", async () => {
    const { payer, provider, transactionId } = await aTransaction();
    await market.as(`agent:${payer}`).ledger.settleTransaction({ transactionId });
    await empty(provider);
    const alias = anAlias();

    await registry().eraseAgent({ agentId: provider, alias });
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId });
    const { transaction } = await operator().resolveDispute({
      requestId: transactionId,
      transactionId,
      providerShareBps: 0,
      reason: "too late to take it back",
    });

    expect(transaction).toMatchObject({ provider: alias, owedAmount: eur(400) });
    await isSound();
  });

  test("refuses while money is there, and changes nothing", async () => {
    const { payer } = await aPair();
    const before = await dump();

    const refused = await refusalOf(registry().eraseAgent({ agentId: payer, alias: anAlias() }));

    expect(refused).toMatchObject({
      reason: "ACCOUNT_NOT_EMPTY",
      metadata: { currency: "EUR", balance_micros: "1000", held_micros: "0" },
    });
    expect(await dump()).toBe(before);
  });

  test.each(["payer", "provider"] as const)(
    "refuses while money is held between the %s and another",
    async (role) => {
      const pair = await aTransaction();
      await empty(pair.payer);

      const agentId = pair[role];
      const refused = await refusalOf(registry().eraseAgent({ agentId, alias: anAlias() }));

      expect(refused).toMatchObject({
        reason: "ACCOUNT_NOT_EMPTY",
        metadata: { held_micros: "400" },
      });
    },
  );

  test("refuses while the agent may have to rule on a transaction, and renames it there afterwards", async () => {
    const judge = `judge-${randomUUIDv7()}`;
    const day = { seconds: 86_400n };
    const { payer, transactionId } = await aTransaction({
      arbitration: { arbitrators: [judge], quorum: 1, evidenceWindow: day, rulingWindow: day },
    });
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId });

    const refused = await refusalOf(registry().eraseAgent({ agentId: judge, alias: anAlias() }));
    const ruling = { transactionId, providerShareBps: 0, reason: SECRET };
    await market.as(`agent:${judge}`).ledger.ruleOnDispute(ruling);
    await operator().resolveDispute({ ...ruling, requestId: transactionId });
    const before = await dump();
    const alias = anAlias();
    await registry().eraseAgent({ agentId: judge, alias });

    expect(refused).toMatchObject({
      reason: "AGENT_HAS_OPEN_TRANSACTIONS",
      metadata: { transaction_id: transactionId, state: "DISPUTED" },
    });
    expect(before).toContain(judge);
    expect(await dump()).not.toContain(judge);
    const { transaction } = await operator().getTransaction({ transactionId });
    expect(transaction?.arbitration?.arbitrators).toEqual([alias]);
    expect(transaction?.dispute?.votes).toMatchObject([{ arbitrator: alias, reason: "" }]);
  });

  test("lets evidence be changed by nothing else, and itself not in what proves", async () => {
    const { payer, transactionId } = await aTransaction();
    const evidence = [{ note: SECRET, sha256: "ab".repeat(32) }];
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId, evidence });
    const { pool } = market.database;
    const erasing = withTransaction(pool, async (tx) => {
      await tx.query("set local ledger.erasing = 'on'");
      await tx.query("update evidence set sha256 = ''");
    });

    await expect(erasing).rejects.toThrow("never changed");
    await expect(pool.query("update evidence set note = ''")).rejects.toThrow("never changed");
    await expect(pool.query("delete from evidence")).rejects.toThrow("never changed");
  });

  test.each(["operator", "service:auction", "agent:x"])("is not for %s", async (principal) => {
    const call = market.as(principal).ledger.eraseAgent({ agentId: "x", alias: anAlias() });

    expect(await refusalOf(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("an id of a deposit or withdrawal", () => {
  test("that names its owner is refused, since it stays in the journal", async () => {
    const owner = "ann-of-green";

    const refusals = [
      await refusalOf(operator().deposit({ depositId: `for-${owner}-1`, owner, amount: eur(1) })),
      await refusalOf(operator().withdraw({ withdrawalId: owner, owner, amount: eur(1) })),
    ];

    expect(refusals.map(({ reason }) => reason)).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
  });
});
