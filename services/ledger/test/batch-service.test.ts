import { randomUUIDv7 } from "node:crypto";
import {
  AccountStatus,
  RefusalReasonSchema,
  TransactionState,
  TransactionStateSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type {
  BatchRecordTransactionsResponse,
  LedgerService,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { client } from "@bourse/rpc";
import type { DescEnum } from "@bufbuild/protobuf";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { euros, refusalOf } from "./calls.ts";
import { startLedger, type TestLedger } from "./server.ts";

type Ledger = ReturnType<typeof client<typeof LedgerService>>;

let market: TestLedger;
let auction: Ledger;
let operator: Ledger;
beforeAll(async () => {
  market = await startLedger();
  auction = market.as("service:auction").ledger;
  operator = market.as("operator").ledger;
});
afterEach(async () => {
  expect((await operator.verify({})).divergences).toEqual([]);
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

/** A payer with 10,000 micros and a provider whom no other test uses. */
async function aPair() {
  const run = randomUUIDv7();
  const pair = { payer: `payer-${run}`, provider: `provider-${run}` };
  await operator.deposit({ depositId: run, owner: pair.payer, amount: euros(10_000) });
  return pair;
}

function recordOf(
  pair: { payer: string; provider: string },
  micros = 1,
  id: string = randomUUIDv7(),
) {
  return { transactionId: id, ...pair, capability: "x", amount: euros(micros) };
}

const record = (value: ReturnType<typeof recordOf>, groupId = "") => ({
  deed: { case: "record", value } as const,
  groupId,
});
const settle = (transactionId: string, groupId = "") => ({
  deed: { case: "settle", value: { transactionId } } as const,
  groupId,
});
const cancel = (transactionId: string, groupId = "") => ({
  deed: { case: "cancel", value: { transactionId } } as const,
  groupId,
});

/** The state or the reason of each entry. */
function outcomesOf({ results }: BatchRecordTransactionsResponse): readonly string[] {
  return results.map(({ state, refusal }) =>
    refusal === undefined
      ? nameOf(TransactionStateSchema, state)
      : `refused ${nameOf(RefusalReasonSchema, refusal.reason)}`,
  );
}

function nameOf({ values }: DescEnum, number: number): string {
  return values.find((value) => value.number === number)?.localName ?? "";
}

async function accountOf(owner: string) {
  const [account] = (await operator.getBalances({ owner })).accounts;
  return account;
}

describe("a batch of deeds", () => {
  test("of 8,000 has a result for each, in order, and one more is refused", async () => {
    const pair = await aPair();
    const entries = Array.from({ length: 8_000 }, (_, nth) =>
      record(recordOf(pair, nth === 4_999 ? 9_999 : 1)),
    );

    const outcomes = outcomesOf(await auction.batchRecordTransactions({ entries }));
    const refused = await refusalOf(
      auction.batchRecordTransactions({ entries: [...entries, ...entries.slice(0, 1)] }),
    );

    expect(outcomes).toEqual(
      entries.map((_, nth) => (nth === 4_999 ? "refused INSUFFICIENT_FUNDS" : "PENDING")),
    );
    expect(refused).toMatchObject({
      reason: "INVALID_REQUEST",
      faults: ["entries REPEATED_MAX_ITEMS"],
    });
    expect(await accountOf(pair.payer)).toMatchObject({ heldMicros: 7_999n });
  });

  test("records, settles, settles in part and cancels, each after those before it", async () => {
    const pair = await aPair();
    const [first, second, third] = [recordOf(pair, 100), recordOf(pair, 200), recordOf(pair, 400)];
    const part = { transactionId: second.transactionId, amount: euros(50) };

    const response = await auction.batchRecordTransactions({
      entries: [
        settle(first.transactionId),
        record(first),
        settle(first.transactionId),
        record(second),
        { deed: { case: "settle", value: part } },
        record(third),
        cancel(third.transactionId),
        cancel(first.transactionId),
      ],
    });

    expect(outcomesOf(response)).toEqual([
      "refused TRANSACTION_NOT_FOUND",
      "PENDING",
      "SETTLED",
      "PENDING",
      "SETTLED",
      "PENDING",
      "CANCELLED",
      "refused INVALID_TRANSACTION_STATE",
    ]);
    expect(response.results.at(-1)?.refusal?.metadata).toEqual({ state: "SETTLED" });
    expect(await accountOf(pair.provider)).toMatchObject({ postedMicros: 150n });
  });

  test("sent again after a lost answer is answered with where each transaction stands, and moves nothing", async () => {
    const pair = await aPair();
    const [paid, open] = [recordOf(pair, 100), recordOf(pair, 200)];
    const tooMuch = recordOf(pair, 9_999);
    const entries = [record(paid), settle(paid.transactionId), record(open), record(tooMuch)];
    await auction.batchRecordTransactions({ entries });
    const before = await accountOf(pair.payer);

    const again = await auction.batchRecordTransactions({ entries });

    expect(outcomesOf(again)).toEqual([
      "SETTLED",
      "SETTLED",
      "PENDING",
      "refused TRANSACTION_ID_BURNT",
    ]);
    expect(await accountOf(pair.payer)).toEqual(before);
  });

  test("answers an id that it bears twice twice and does it once; another content names what differs", async () => {
    const pair = await aPair();
    const one = recordOf(pair, 100);

    const response = await auction.batchRecordTransactions({
      entries: [
        record(one),
        record({ ...one, transactionId: one.transactionId.toUpperCase() }),
        record({ ...one, capability: "y" }),
      ],
    });

    expect(outcomesOf(response)).toEqual(["PENDING", "PENDING", "refused TRANSACTION_ID_REUSED"]);
    expect(response.results[2]?.refusal?.metadata).toEqual({ field: "capability" });
    expect(await accountOf(pair.payer)).toMatchObject({ heldMicros: 100n });
  });

  test("is refused as a whole with every fault of every entry, and does nothing", async () => {
    const pair = await aPair();
    const derived = randomUUIDv7().replace(/(?<=^.{14})7/, "8");
    const [groupId, payer] = [randomUUIDv7(), market.as(`agent:${pair.payer}`).ledger];
    const beyond = { ...recordOf(pair), capability: "a\0b", context: { far: "x".repeat(9_000) } };
    const panel = { arbitrators: [pair.provider], quorum: 2 };

    const byRule = await refusalOf(
      payer.batchRecordTransactions({
        entries: [
          record(recordOf(pair, 0)),
          settle("t-1"),
          { groupId: "g" },
          record(recordOf(pair)),
        ],
      }),
    );
    const byService = await refusalOf(
      payer.batchRecordTransactions({
        entries: [
          record(recordOf(pair), groupId),
          record({ ...recordOf(pair, 1, derived), arbitration: panel } as never),
          record(beyond as never, groupId),
        ],
      }),
    );

    expect(byRule.faults).toEqual([
      "entries[0].record.amount AMOUNT_POSITIVE",
      "entries[1].settle.transaction_id STRING_UUID",
      "entries[2].group_id STRING_PATTERN",
      "entries[2].deed REQUIRED",
    ]);
    expect(byService.faults).toEqual([
      "entries[1].record.transaction_id RESERVED_VERSION",
      "entries[1].record.arbitration.arbitrators[0] ARBITRATOR_IS_PARTY",
      "entries[1].record.arbitration.quorum QUORUM_RANGE",
      "entries[2].record.capability NUL_CHARACTER",
      "entries[2].record.context TOO_LARGE",
      "entries[2].group_id GROUP_SPLIT",
    ]);
    expect(await accountOf(pair.payer)).toMatchObject({ heldMicros: 0n });
  });

  test("of an agent that records what another pays is refused as a whole, and the entry named", async () => {
    const pair = await aPair();
    const other = { payer: pair.provider, provider: pair.payer };
    const { ledger } = market.as(`agent:${pair.payer}`);

    const refused = await refusalOf(
      ledger.batchRecordTransactions({
        entries: [record(recordOf(pair)), record(recordOf(other))],
      }),
    );

    expect(refused).toMatchObject({
      reason: "PERMISSION_DENIED",
      metadata: { field: "entries[1].record.payer" },
    });
    expect(await accountOf(pair.payer)).toMatchObject({ heldMicros: 0n });
  });

  test("does its groups whole or not at all, beside what stands alone", async () => {
    const pair = await aPair();
    const [whole, broken] = [randomUUIDv7(), randomUUIDv7()];
    const entries = [
      record(recordOf(pair, 10)),
      record(recordOf(pair, 20), whole),
      record(recordOf(pair, 30), whole.toUpperCase()),
      record(recordOf(pair, 40), broken),
      record(recordOf(pair, 99_999), broken.toUpperCase()),
      cancel(randomUUIDv7(), broken),
      record(recordOf(pair, 50)),
    ];

    const response = await auction.batchRecordTransactions({ entries });
    const settled = await auction.settleGroup({ groupId: whole.toUpperCase() });
    const none = await refusalOf(auction.settleGroup({ groupId: broken }));

    expect(outcomesOf(response)).toEqual([
      "PENDING",
      "PENDING",
      "PENDING",
      "refused LINKED_ENTRY_FAILED",
      "refused INSUFFICIENT_FUNDS",
      "refused LINKED_ENTRY_FAILED",
      "PENDING",
    ]);
    expect(response.results[3]?.refusal?.metadata).toEqual({
      entry: "1",
      reason: "INSUFFICIENT_FUNDS",
    });
    expect(settled.transactions.map(({ state, groupId }) => [state, groupId])).toEqual([
      [TransactionState.SETTLED, whole],
      [TransactionState.SETTLED, whole],
    ]);
    expect(none).toMatchObject({ reason: "GROUP_NOT_FOUND", metadata: { groupId: broken } });
    expect(await accountOf(pair.payer)).toMatchObject({ postedMicros: 9_950n, heldMicros: 60n });
  });
});

describe("an account over gRPC", () => {
  test("tells what others have promised to it, and turnovers beyond 64 bits", async () => {
    const pair = await aPair();
    await auction.recordTransaction(recordOf(pair, 7));
    await operator.deposit({ depositId: randomUUIDv7(), owner: pair.provider, amount: euros(1) });
    await market.database.pool.query(
      `update accounts set debits_posted = debits_posted + 1e20, credits_posted = credits_posted + 1e20,
         stamp = stamp + 1
       where owner = $1`,
      [pair.provider],
    );

    const account = await accountOf(pair.provider);
    await operator.deposit({ depositId: randomUUIDv7(), owner: pair.provider, amount: euros(1) });
    const later = await accountOf(pair.provider);
    await market.database.pool.query(
      `update accounts set debits_posted = debits_posted - 1e20, credits_posted = credits_posted - 1e20,
         stamp = stamp - 1
       where owner = $1`,
      [pair.provider],
    );

    expect(account).toMatchObject({
      postedMicros: 1n,
      creditsHeldMicros: "7",
      debitsPostedMicros: "100000000000000000000",
      creditsPostedMicros: "100000000000000000001",
    });
    expect(later).toMatchObject({
      postedMicros: 2n,
      creditsPostedMicros: "100000000000000000002",
    });
  });

  test("is frozen, emptied, closed and opened again by the operator, and by nobody else", async () => {
    const { payer: owner } = await aPair();
    const of = { owner, currencyCode: "EUR" };
    const set = (status: AccountStatus) => operator.setAccountStatus({ ...of, status });
    const withdraw = () =>
      operator.withdraw({ withdrawalId: randomUUIDv7(), owner, amount: euros(10_000) });

    const frozen = await set(AccountStatus.FROZEN);
    const stuck = await refusalOf(withdraw());
    const full = await refusalOf(set(AccountStatus.CLOSED));
    await set(AccountStatus.OPEN);
    await withdraw();
    const closed = await set(AccountStatus.CLOSED);
    const late = await refusalOf(
      operator.deposit({ depositId: randomUUIDv7(), owner, amount: euros(1) }),
    );
    const denied = await refusalOf(
      market.as(`agent:${owner}`).ledger.setAccountStatus({ ...of, status: AccountStatus.OPEN }),
    );

    expect(frozen.account?.status).toBe(AccountStatus.FROZEN);
    expect(stuck).toMatchObject({ reason: "ACCOUNT_FROZEN", metadata: { owner, currency: "EUR" } });
    expect(full.reason).toBe("ACCOUNT_NOT_EMPTY");
    expect(closed.account?.status).toBe(AccountStatus.CLOSED);
    expect(late.reason).toBe("ACCOUNT_CLOSED");
    expect(denied.reason).toBe("PERMISSION_DENIED");
  });
});

describe("money that comes in or goes out", () => {
  test.each([
    ["the owner's id", (owner: string) => `for-${owner}`, "NAMES_OWNER"],
    ["an IBAN", () => "DE89370400440532013000", "PERSONAL_DATA"],
    ["a phone number", () => "030-1234-5678", "PERSONAL_DATA"],
  ])(
    "has no id that holds %s, since that stands in the journal for good",
    async (_case, idFor, reason) => {
      const { payer: owner } = await aPair();
      const id = idFor(owner);

      const deposit = await refusalOf(operator.deposit({ depositId: id, owner, amount: euros(1) }));
      const withdrawal = await refusalOf(
        operator.withdraw({ withdrawalId: id, owner, amount: euros(1) }),
      );

      expect(deposit.faults).toEqual([`deposit_id ${reason}`]);
      expect(withdrawal.faults).toEqual([`withdrawal_id ${reason}`]);
      const { accounts } = await operator.getBalances({ owner });
      expect(accounts).toMatchObject([{ postedMicros: 10_000n }]);
    },
  );
});

describe("a ledger with too much to do", () => {
  test("refuses with LEDGER_BUSY and when to come back, and what it refused moved no money", async () => {
    await using small = await startLedger({ queueMax: 3 });
    const { ledger } = small.as("operator");
    const deposit = (depositId: string) =>
      ledger.deposit({ depositId, owner: "ann", amount: euros(1) });
    await deposit("first");
    const blocker = new Client({ connectionString: small.database.url });
    await blocker.connect();
    await blocker.query("begin");
    await blocker.query("select from ledger.accounts where owner = 'ann' for update");
    const ids = Array.from({ length: 40 }, (_, nth) => `d-${nth}`);

    const calls = ids.map((id) => refusalOf(deposit(id)));
    await vi.waitFor(() => expect(small.finished.length).toBeGreaterThan(10));
    await blocker.end();
    const refusals = await Promise.all(calls);
    const busy = refusals.filter(({ reason }) => reason !== undefined);
    const [account] = (await ledger.getBalances({ owner: "ann" })).accounts;
    const retried = await Promise.all(
      ids.map((id) => vi.waitFor(() => deposit(id), { interval: 50 })),
    );
    const [all] = (await ledger.getBalances({ owner: "ann" })).accounts;

    expect(busy.length).toBeGreaterThan(10);
    expect(new Set(busy.map(({ reason, retryAfter }) => `${reason} ${retryAfter}`))).toEqual(
      new Set(["LEDGER_BUSY 200"]),
    );
    expect(account?.postedMicros).toBe(BigInt(1 + ids.length - busy.length));
    expect(retried).toHaveLength(ids.length);
    expect(all?.postedMicros).toBe(BigInt(1 + ids.length));
  });
});
