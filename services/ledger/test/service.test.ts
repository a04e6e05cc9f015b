import { randomUUIDv7 } from "node:crypto";
import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { PartyRole } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { faultsOf, metadataOf, reasonOf } from "@bourse/rpc";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLedger, type TestLedger } from "./server.ts";

let market: TestLedger;
beforeAll(async () => {
  market = await startLedger();
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

const eur = (micros: number) => ({ micros: BigInt(micros), currencyCode: "EUR" });

/** Names that no other test uses, and the payer has 1,000 micros. */
async function aPair() {
  const payer = `payer-${randomUUIDv7()}`;
  const provider = `provider-${randomUUIDv7()}`;
  const operator = market.as("operator").ledger;
  await operator.deposit({ depositId: randomUUIDv7(), owner: payer, amount: eur(1_000) });
  return { payer, provider };
}

async function aTransaction(
  recorder: "auction" | "payer" = "auction",
  context?: { task_id: string },
) {
  const pair = await aPair();
  const principal = recorder === "payer" ? `agent:${pair.payer}` : "service:auction";
  const transactionId = randomUUIDv7();
  const request = { transactionId, ...pair, capability: "translate", amount: eur(400) };
  await market
    .as(principal)
    .ledger.recordTransaction(context === undefined ? request : { ...request, context });
  return { ...pair, transactionId, request };
}

/** Lists in lists, so many deep. */
function nested(depth: number): JsonValue {
  return depth === 0 ? "here" : [nested(depth - 1)];
}

async function refusalOf(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  return { reason: reasonOf(error), metadata: metadataOf(error), faults: faultsOf(error) };
}

describe("a transaction", () => {
  test("goes from hold to settlement, and each step shows in the balances of both sides", async () => {
    const { payer, provider, transactionId } = await aTransaction("auction", { task_id: "task-1" });
    const { ledger } = market.as("service:auction");

    const held = await ledger.getBalances({ owner: payer });
    const settled = await ledger.settleTransaction({ transactionId, amount: eur(300) });
    const found = await ledger.getTransaction({ transactionId });
    const paid = await ledger.getBalances({ owner: provider });
    const left = await ledger.getBalances({ owner: payer });

    expect(held.accounts).toMatchObject([
      { postedMicros: 1_000n, heldMicros: 400n, availableMicros: 600n },
    ]);
    expect(held.openHolds).toMatchObject([{ reference: transactionId, amount: eur(400) }]);
    expect(settled.transaction).toMatchObject({
      state: TransactionState.SETTLED,
      settledAmount: eur(300),
      recorder: "service:auction",
      context: { task_id: "task-1" },
    });
    expect(found.movements.map(({ kind, amount }) => [kind, amount?.micros])).toEqual([
      [MovementKind.HOLD, 400n],
      [MovementKind.POST, 300n],
      [MovementKind.RELEASE, 100n],
    ]);
    expect(paid.accounts).toMatchObject([{ postedMicros: 300n, heldMicros: 0n }]);
    expect(left).toMatchObject({
      accounts: [{ postedMicros: 700n, heldMicros: 0n }],
      openHolds: [],
    });
  });

  test("is answered with itself when it is recorded again, in whatever case its id is written", async () => {
    const { transactionId, request } = await aTransaction();

    const again = await market
      .as("service:auction")
      .ledger.recordTransaction({ ...request, transactionId: transactionId.toUpperCase() });

    expect(again.transaction).toMatchObject({ transactionId, state: TransactionState.PENDING });
  });

  test("is refused for want of funds with what is available, and its id stays refused", async () => {
    const pair = await aPair();
    const { ledger } = market.as(`agent:${pair.payer}`);
    const request = { transactionId: randomUUIDv7(), ...pair, capability: "x", amount: eur(1_001) };

    const refused = await refusalOf(ledger.recordTransaction(request));
    await market
      .as("operator")
      .ledger.deposit({ depositId: randomUUIDv7(), owner: pair.payer, amount: eur(5_000) });
    const again = await refusalOf(ledger.recordTransaction(request));
    const other = await refusalOf(ledger.recordTransaction({ ...request, amount: eur(1) }));

    expect(refused).toMatchObject({
      reason: "INSUFFICIENT_FUNDS",
      metadata: { available: "1000", currency: "EUR" },
    });
    expect(again.reason).toBe("TRANSACTION_ID_BURNT");
    expect(other).toMatchObject({
      reason: "TRANSACTION_ID_REUSED",
      metadata: { field: "amount.micros" },
    });
  });

  test.each([
    ["a context above 8 KiB", { context: { text: "x".repeat(8_200) } }, "context"],
    ["a context with U+0000", { context: { text: "a\0b" } }, "context"],
    ["a context that nests too deep", { context: { deep: nested(48) } }, "context"],
    ["a capability with U+0000", { capability: "a\0b" }, "capability"],
    ["an amount of zero", { amount: eur(0) }, "amount"],
    ["a negative amount", { amount: eur(-1) }, "amount"],
    ["an id that is no UUID", { transactionId: "t-1" }, "transaction_id"],
  ])("with %s is refused with the field named", async (_case, change, field) => {
    const pair = await aPair();
    const request = { transactionId: randomUUIDv7(), ...pair, capability: "x", amount: eur(1) };

    const refused = await refusalOf(
      market.as("operator").ledger.recordTransaction({ ...request, ...change }),
    );

    expect(refused.reason).toBe("INVALID_REQUEST");
    expect(refused.faults.map((fault) => fault.field)).toEqual([field]);
  });
});

describe("the notes of a transaction", () => {
  test("may nest as deep as is allowed, and may spell out an escape", async () => {
    const pair = await aPair();
    const { ledger } = market.as(`agent:${pair.provider}`);
    const context = { deep: nested(19), text: "C:\\u0000" };
    const request = { transactionId: randomUUIDv7(), ...pair, capability: "x", amount: eur(1) };

    await market.as("operator").ledger.recordTransaction({ ...request, context });
    const { transactions } = await ledger.listTransactions({ agentId: pair.provider });

    expect(transactions.map((transaction) => transaction.context)).toEqual([context]);
  });

  test("lead the record to a task only when a service wrote them", async () => {
    const { payer, transactionId } = await aTransaction("payer", { task_id: "task-of-another" });
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId });

    const { events } = await market.as("auditor").lineage.queryEvents({ subject: payer });

    expect(events.map(({ type, taskId }) => [type, taskId])).toEqual([
      ["transaction_disputed", ""],
    ]);
  });
});

describe("an id that was derived", () => {
  const derived = () => randomUUIDv7().replace(/(?<=^.{14})7/, "8");

  test("is not an agent's to record, so that none can stand in the way of an award", async () => {
    const pair = await aPair();
    const request = { transactionId: derived(), ...pair, capability: "x", amount: eur(1) };

    const squatted = await refusalOf(
      market.as(`agent:${pair.payer}`).ledger.recordTransaction(request),
    );
    const awarded = await market.as("service:auction").ledger.recordTransaction(request);

    expect(squatted.reason).toBe("INVALID_REQUEST");
    expect(squatted.faults.map(({ field, reason }) => [field, reason])).toEqual([
      ["transaction_id", "RESERVED_VERSION"],
    ]);
    expect(awarded.transaction?.recorder).toBe("service:auction");
  });
});

describe("who may act on a transaction", () => {
  const deeds = {
    settle: (ledger: ReturnType<TestLedger["as"]>["ledger"], transactionId: string) =>
      ledger.settleTransaction({ transactionId }),
    cancel: (ledger: ReturnType<TestLedger["as"]>["ledger"], transactionId: string) =>
      ledger.cancelTransaction({ transactionId }),
    dispute: (ledger: ReturnType<TestLedger["as"]>["ledger"], transactionId: string) =>
      ledger.flagDispute({ transactionId }),
    read: (ledger: ReturnType<TestLedger["as"]>["ledger"], transactionId: string) =>
      ledger.getTransaction({ transactionId }),
  };

  test.each`
    recorder     | caller        | deed         | outcome
    ${"auction"} | ${"auction"}  | ${"settle"}  | ${"ok"}
    ${"auction"} | ${"operator"} | ${"settle"}  | ${"ok"}
    ${"auction"} | ${"payer"}    | ${"settle"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"auction"} | ${"provider"} | ${"settle"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"auction"} | ${"stranger"} | ${"settle"}  | ${"TRANSACTION_NOT_FOUND"}
    ${"auction"} | ${"registry"} | ${"settle"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"auction"} | ${"auction"}  | ${"cancel"}  | ${"ok"}
    ${"auction"} | ${"provider"} | ${"cancel"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"auction"} | ${"stranger"} | ${"cancel"}  | ${"TRANSACTION_NOT_FOUND"}
    ${"auction"} | ${"payer"}    | ${"dispute"} | ${"ok"}
    ${"auction"} | ${"provider"} | ${"dispute"} | ${"ok"}
    ${"auction"} | ${"stranger"} | ${"dispute"} | ${"TRANSACTION_NOT_FOUND"}
    ${"auction"} | ${"payer"}    | ${"read"}    | ${"ok"}
    ${"auction"} | ${"provider"} | ${"read"}    | ${"ok"}
    ${"auction"} | ${"stranger"} | ${"read"}    | ${"TRANSACTION_NOT_FOUND"}
    ${"auction"} | ${"auditor"}  | ${"read"}    | ${"ok"}
    ${"payer"}   | ${"payer"}    | ${"settle"}  | ${"ok"}
    ${"payer"}   | ${"provider"} | ${"settle"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"payer"}   | ${"auction"}  | ${"settle"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"payer"}   | ${"payer"}    | ${"cancel"}  | ${"NOT_TRANSACTION_PARTY"}
    ${"payer"}   | ${"provider"} | ${"cancel"}  | ${"ok"}
    ${"payer"}   | ${"operator"} | ${"cancel"}  | ${"ok"}
    ${"payer"}   | ${"auditor"}  | ${"settle"}  | ${"PERMISSION_DENIED"}
  `(
    "recorded by $recorder: $caller may $deed it? $outcome",
    async ({ recorder, caller, deed, outcome }) => {
      const { payer, provider, transactionId } = await aTransaction(recorder);
      const principals: Record<string, string> = {
        payer: `agent:${payer}`,
        provider: `agent:${provider}`,
        stranger: "agent:nobody",
        auction: "service:auction",
        registry: "service:registry",
      };
      const { ledger } = market.as(principals[caller] ?? caller);

      const { reason = "ok" } = await refusalOf(
        deeds[deed as keyof typeof deeds](ledger, transactionId),
      );

      expect(reason).toBe(outcome);
    },
  );

  test.each`
    call                                    | principal             | reason
    ${"recordTransaction of another payer"} | ${"agent:eve"}        | ${"PERMISSION_DENIED"}
    ${"getBalances of another"}             | ${"agent:eve"}        | ${"PERMISSION_DENIED"}
    ${"listTransactions of another"}        | ${"agent:eve"}        | ${"PERMISSION_DENIED"}
    ${"listAccounts"}                       | ${"agent:eve"}        | ${"PERMISSION_DENIED"}
    ${"deposit"}                            | ${"agent:ann"}        | ${"PERMISSION_DENIED"}
    ${"postCredits"}                        | ${"service:registry"} | ${"PERMISSION_DENIED"}
    ${"verify"}                             | ${undefined}          | ${"UNAUTHENTICATED"}
  `("$call by $principal is refused with $reason", async ({ call, principal, reason }) => {
    const { ledger } = market.as(principal);
    const amount = eur(1);
    const calls: Record<string, () => Promise<unknown>> = {
      "recordTransaction of another payer": () =>
        ledger.recordTransaction({
          transactionId: randomUUIDv7(),
          payer: "ann",
          provider: "eve",
          capability: "x",
          amount,
        }),
      "getBalances of another": () => ledger.getBalances({ owner: "ann" }),
      "listTransactions of another": () => ledger.listTransactions({ agentId: "ann" }),
      listAccounts: () => ledger.listAccounts({}),
      deposit: () => ledger.deposit({ depositId: "d", owner: "ann", amount }),
      postCredits: () =>
        ledger.postCredits({
          creditId: "c",
          agentId: "ann",
          amount: { micros: 1n, currencyCode: "CRD" },
          taskId: "t",
        }),
      verify: () => ledger.verify({}),
    };

    expect((await refusalOf(calls[call]?.() ?? Promise.resolve())).reason).toBe(reason);
  });
});

describe("a dispute", () => {
  test("freezes a pending transaction, gathers evidence once, and ends by ruling, once per request", async () => {
    const { payer, provider, transactionId } = await aTransaction();
    const evidence = [{ note: "never came", sha256: "ab".repeat(32) }];
    const buyer = market.as(`agent:${payer}`).ledger;
    const ruling = {
      requestId: randomUUIDv7(),
      transactionId,
      providerShareBps: 2_500,
      reason: "part",
    };
    const operator = market.as("operator").ledger;

    await buyer.flagDispute({ transactionId, evidence });
    await buyer.flagDispute({ transactionId, evidence });
    const answered = await market
      .as(`agent:${provider}`)
      .ledger.flagDispute({ transactionId, evidence: [{ note: "it did" }] });
    const settle = await refusalOf(
      market.as("service:auction").ledger.settleTransaction({ transactionId }),
    );
    const first = await operator.resolveDispute(ruling);
    const again = await operator.resolveDispute(ruling);
    const other = await refusalOf(operator.resolveDispute({ ...ruling, providerShareBps: 1 }));
    const late = await refusalOf(operator.resolveDispute({ ...ruling, requestId: randomUUIDv7() }));
    const reopened = await refusalOf(buyer.flagDispute({ transactionId }));

    expect(answered.transaction?.evidence.map(({ submitter, note }) => [submitter, note])).toEqual([
      [`agent:${payer}`, "never came"],
      [`agent:${provider}`, "it did"],
    ]);
    expect(settle).toMatchObject({
      reason: "INVALID_TRANSACTION_STATE",
      metadata: { state: "DISPUTED" },
    });
    expect(first.transaction).toMatchObject({
      state: TransactionState.SETTLED,
      settledAmount: eur(100),
    });
    expect(again).toEqual(first);
    expect(other.reason).toBe("REQUEST_ID_REUSED");
    expect(late.reason).toBe("INVALID_TRANSACTION_STATE");
    expect(reopened.reason).toBe("DISPUTE_ALREADY_DECIDED");
  });

  test("is on the record with pseudonyms when it opens and when it ends", async () => {
    const { payer, transactionId } = await aTransaction("auction", { task_id: "task-of-dispute" });
    await market.as(`agent:${payer}`).ledger.flagDispute({ transactionId });
    await market
      .as("operator")
      .ledger.resolveDispute({ transactionId, providerShareBps: 0, reason: "none" });

    const { lineage } = market.as("auditor");
    const { events } = await lineage.queryEvents({ subject: payer });
    const proof = await lineage.verifyChain({});

    expect(events.map(({ type, source, taskId }) => [type, source, taskId])).toEqual([
      ["transaction_disputed", "ledger", "task-of-dispute"],
      ["dispute_resolved", "ledger", "task-of-dispute"],
    ]);
    expect(events[0]?.subjects["payer"]).toMatch(/^p-[0-9a-f]{32}$/);
    expect(JSON.stringify(events.map((event) => event.subjects))).not.toContain(payer);
    expect(proof.ok).toBe(true);
  });
});

describe("money in and out", () => {
  test("comes from the world once per deposit id, and credit cannot be withdrawn", async () => {
    const { payer: owner } = await aPair();
    const { ledger } = market.as("operator");
    await ledger.setCreditLimit({ owner, creditLimit: eur(500) });

    const deposit = { depositId: randomUUIDv7(), owner, amount: eur(200) };
    await ledger.deposit(deposit);
    const again = await ledger.deposit(deposit);
    const other = await refusalOf(ledger.deposit({ ...deposit, amount: eur(201) }));
    const withdrawal = { withdrawalId: randomUUIDv7(), owner, amount: eur(1_201) };
    const tooMuch = await refusalOf(ledger.withdraw(withdrawal));
    const burnt = await refusalOf(ledger.withdraw(withdrawal));
    const all = await ledger.withdraw({
      withdrawalId: randomUUIDv7(),
      owner,
      amount: eur(1_200),
    });

    expect(again.account).toMatchObject({ postedMicros: 1_200n, availableMicros: 1_700n });
    expect(other).toMatchObject({
      reason: "DEPOSIT_ID_REUSED",
      metadata: { field: "amount.micros" },
    });
    expect(tooMuch).toMatchObject({
      reason: "INSUFFICIENT_FUNDS",
      metadata: { available: "1200", currency: "EUR" },
    });
    expect(burnt.reason).toBe("WITHDRAWAL_ID_BURNT");
    expect(all.account).toMatchObject({ postedMicros: 0n });
  });

  test("credits are issued and taken back, also below zero, once per credit id", async () => {
    const { ledger } = market.as("service:auction");
    const agentId = `agent-${randomUUIDv7()}`;
    const crd = (micros: bigint) => ({ micros, currencyCode: "CRD" });
    const credit = {
      creditId: `c/${agentId}`.slice(0, 60).replace("/", "."),
      agentId,
      taskId: "t",
    };

    await ledger.postCredits({ ...credit, amount: crd(-50n) });
    const again = await ledger.postCredits({ ...credit, amount: crd(-50n) });
    const other = await refusalOf(
      ledger.postCredits({ ...credit, amount: crd(-50n), taskId: "u" }),
    );

    expect(again.account).toMatchObject({ owner: agentId, postedMicros: -50n });
    expect(other).toMatchObject({ reason: "CREDIT_ID_REUSED", metadata: { field: "task_id" } });
  });
});

describe("lists", () => {
  test("give transactions newest first in pages that neither repeat nor skip, filtered by every field", async () => {
    const { payer, provider } = await aPair();
    const { ledger } = market.as("service:auction");
    const ids: string[] = [];
    for (let nth = 0; nth < 5; nth++) {
      const transactionId = randomUUIDv7();
      ids.unshift(transactionId);
      const capability = nth % 2 === 0 ? "even" : "odd";
      await ledger.recordTransaction({
        transactionId,
        payer,
        provider,
        capability,
        amount: eur(1),
      });
    }
    await ledger.cancelTransaction({ transactionId: ids[0] ?? "" });

    const pages: string[][] = [];
    for (let pageToken = ""; ; ) {
      const page = await ledger.listTransactions({ agentId: payer, pageSize: 2, pageToken });
      pages.push(page.transactions.map((transaction) => transaction.transactionId));
      if (page.nextPageToken === "") break;
      pageToken = page.nextPageToken;
    }
    const count = async (filter: Parameters<typeof ledger.listTransactions>[0]) =>
      (await ledger.listTransactions(filter)).transactions.length;

    expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    expect(await count({ agentId: payer, role: PartyRole.PROVIDER })).toBe(0);
    expect(await count({ agentId: provider, role: PartyRole.PROVIDER })).toBe(5);
    expect(await count({ agentId: payer, state: TransactionState.CANCELLED })).toBe(1);
    expect(await count({ agentId: payer, capability: "odd" })).toBe(2);
    expect(await count({ agentId: payer, endTime: { seconds: 1n, nanos: 0 } })).toBe(0);
  });

  test("take the last instant of the last year for an end", async () => {
    const { payer } = await aTransaction();
    const endTime = { seconds: 253_402_300_799n, nanos: 999_999_999 };

    const { transactions } = await market
      .as(`agent:${payer}`)
      .ledger.listTransactions({ agentId: payer, endTime });

    expect(transactions).toHaveLength(1);
  });

  test.each(["-200000-01-01T00:00:00Z", "+275000-01-01T00:00:00.000Z", "2020", ""])(
    "refuse a forged page token that goes on at %j",
    async (time) => {
      await aTransaction();
      await aTransaction();
      const auditor = market.as("auditor");
      const { nextPageToken } = await auditor.ledger.listTransactions({ pageSize: 1 });
      const [filter, , id] = JSON.parse(Buffer.from(nextPageToken, "base64url").toString());
      const forged = (...parts: string[]) =>
        Buffer.from(JSON.stringify(parts)).toString("base64url");

      const refused = await refusalOf(
        auditor.ledger.listTransactions({ pageSize: 1, pageToken: forged(filter, time, id) }),
      );

      expect(refused.reason).toBe("INVALID_PAGE_TOKEN");
    },
  );

  test("refuse a page token of another filter", async () => {
    const { ledger } = market.as("operator");
    await aPair();
    await aPair();
    const { nextPageToken } = await ledger.listAccounts({ currencyCode: "EUR", pageSize: 1 });

    const refused = await refusalOf(ledger.listAccounts({ pageToken: nextPageToken, pageSize: 1 }));

    expect(nextPageToken).not.toBe("");
    expect(refused.reason).toBe("INVALID_PAGE_TOKEN");
  });
});

describe("the books as a whole", () => {
  test("verify after all of this", async () => {
    const proof = await market.as("auditor").ledger.verify({});

    expect(proof.divergences).toEqual([]);
    expect(proof.ok).toBe(true);
    expect(proof.movements).toBeGreaterThan(50n);
  });

  test("answered no call with an internal error", () => {
    expect(market.finished.filter((call) => call.error !== undefined)).toEqual([]);
  });
});
