import {
  type BatchRecordTransactionsRequest,
  BatchRecordTransactionsRequestSchema,
  BatchRecordTransactionsResponseSchema,
  LedgerService,
  type RecordTransactionRequest,
  RecordTransactionRequestSchema,
  RecordTransactionResponseSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { type Caller, openCaller } from "../src/bench/caller.ts";
import { principalKey, serve } from "../src/index.ts";
import { Rejection } from "../src/rejection.ts";

const RECORD = `${LedgerService.typeName}/RecordTransaction`;
const RECORD_MANY = `${LedgerService.typeName}/BatchRecordTransactions`;
const CALLS_PER_CONNECTION_MAX = 10_000;

test("answers come to who called, over one connection", async () => {
  await using server = await serveNames();
  using caller = openCaller(server.address, "me");

  const answers = await Promise.all(["a", "b", "c"].map((payer) => call(caller, payer)));

  expect(answers).toEqual(["a for me", "b for me", "c for me"]);
});

test("a request goes through that is larger than the windows of the server", async () => {
  await using server = await serveNames();
  using caller = openCaller(server.address, "me");
  const entries = Array.from({ length: 8_000 }, () => ({
    groupId: "",
    deed: {
      case: "record" as const,
      value: { ...trade("x".repeat(60)), provider: "y".repeat(60) },
    },
  }));
  const message = create(BatchRecordTransactionsRequestSchema, { entries });

  const answer = await caller.call(
    RECORD_MANY,
    toBinary(BatchRecordTransactionsRequestSchema, message),
  );

  expect(fromBinary(BatchRecordTransactionsResponseSchema, answer).results).toHaveLength(8_000);
});

test("a refusal rejects with its status, and the connection goes on", async () => {
  await using server = await serveNames();
  using caller = openCaller(server.address, "me");

  await expect(call(caller, "nobody")).rejects.toThrow("status 5");

  expect(await call(caller, "a")).toBe("a for me");
});

test("more calls than the server lets under way wait for their turn", async () => {
  await using server = await serveNames();
  using caller = openCaller(server.address, "me");
  const count = CALLS_PER_CONNECTION_MAX + 500;

  const answers = await Promise.all(Array.from({ length: count }, () => call(caller, "a")));

  expect(answers).toHaveLength(count);
});

test("calls reject when the connection is lost", async () => {
  const server = await serveNames();
  using caller = openCaller(server.address, "me");
  await call(caller, "a");
  await server[Symbol.asyncDispose]();

  await expect(call(caller, "a")).rejects.toThrow();
});

/** A ledger without books, which knows everybody but "nobody". */
function serveNames() {
  return serve({
    listen: "127.0.0.1:0",
    domain: "bourse.test",
    codes: { NOT_THERE: Code.NotFound },
    guard: {
      authenticate: (_method, headers) => ({
        kind: "agent",
        id: headers.get("authorization")?.slice("Bearer ".length) ?? "",
      }),
      authorize: () => {},
    },
    bindings: [{ desc: LedgerService, impl: { recordTransaction, batchRecordTransactions } }],
  });
}

function recordTransaction({ payer }: RecordTransactionRequest, ctx: HandlerContext) {
  if (payer === "nobody") throw new Rejection("NOT_THERE", "there is nobody");
  return { transaction: { payer, provider: ctx.values.get(principalKey).id } };
}

function batchRecordTransactions({ entries }: BatchRecordTransactionsRequest) {
  return { results: entries.map(() => ({})) };
}

async function call(caller: Caller, payer: string): Promise<string> {
  const message = create(RecordTransactionRequestSchema, trade(payer));
  const answer = await caller.call(RECORD, toBinary(RecordTransactionRequestSchema, message));
  const { transaction } = fromBinary(RecordTransactionResponseSchema, answer);
  return `${transaction?.payer} for ${transaction?.provider}`;
}

function trade(payer: string) {
  const transactionId = "01890a5d-ac96-774b-bcce-b302099a8057";
  const amount = { micros: 1n, currencyCode: "EUR" };
  return { transactionId, payer, provider: "p", capability: "test", amount };
}
