import { randomUUIDv7 } from "node:crypto";
import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  type ExportHistoryRequestSchema,
  type ExportHistoryResponse,
  PartyRole,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { faultsOf, reasonOf, streamed } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLedger, type TestLedger } from "./server.ts";

type Asked = MessageInitShape<typeof ExportHistoryRequestSchema>;

let market: TestLedger;
/** What the auction recorded before the tests, oldest first. */
const recorded: string[] = [];

const eur = (micros: number) => ({ micros: BigInt(micros), currencyCode: "EUR" });

beforeAll(async () => {
  let nowMs = Date.parse("2026-03-01T00:00:00Z");
  market = await startLedger({ now: () => new Date(nowMs++) });
  const operator = market.as("operator").ledger;
  await operator.deposit({ depositId: "d-1", owner: "ann", amount: eur(10_000) });
  for (let nth = 0; nth < 7; nth++) recorded.push(await record("ann", nth === 3 ? "cid" : "bob"));
  const auction = market.as("service:auction").ledger;
  const [settled, cancelled, disputed] = recorded as [string, string, string];
  await auction.settleTransaction({ transactionId: settled, amount: eur(60) });
  await auction.cancelTransaction({ transactionId: cancelled });
  await market.as("agent:bob").ledger.flagDispute({
    transactionId: disputed,
    evidence: [{ note: "the payer is silent" }],
  });
});

afterAll(() => market[Symbol.asyncDispose]());

async function record(payer: string, provider: string): Promise<string> {
  const transactionId = randomUUIDv7();
  await market.as("service:auction").ledger.recordTransaction({
    transactionId,
    payer,
    provider,
    capability: "translate",
    amount: eur(100),
  });
  return transactionId;
}

/** The first `most` events of an export. */
async function exported(request: Asked, principal = "auditor", most = Number.POSITIVE_INFINITY) {
  const { ledger } = market.as(principal);
  const events: ExportHistoryResponse[] = [];
  const stream = streamed((signal) => ledger.exportHistory(request, { signal }));
  for await (const event of stream) {
    events.push(event);
    if (events.length === most) break;
  }
  return events;
}

const ids = (events: readonly ExportHistoryResponse[]) =>
  events.map(({ transaction }) => transaction?.transactionId);

test("an export holds every transaction once, oldest first", async () => {
  expect(ids(await exported({}))).toEqual(recorded);
});

test("an export tells of each transaction what its money did and what was brought forward", async () => {
  const [settled, cancelled, disputed] = await exported({});

  const kinds = (event: ExportHistoryResponse | undefined) =>
    event?.movements.map(({ kind, amount }) => [kind, amount?.micros]);
  expect(kinds(settled)).toEqual([
    [MovementKind.HOLD, 100n],
    [MovementKind.POST, 60n],
    [MovementKind.RELEASE, 40n],
  ]);
  expect(kinds(cancelled)).toEqual([
    [MovementKind.HOLD, 100n],
    [MovementKind.RELEASE, 100n],
  ]);
  expect(disputed?.transaction?.state).toBe(TransactionState.DISPUTED);
  expect(disputed?.transaction?.evidence.map(({ note }) => note)).toEqual(["the payer is silent"]);
});

test("an export goes on behind any of its tokens", async () => {
  const whole = await exported({});
  for (const [nth, { resumeToken }] of whole.entries()) {
    const rest = await exported({ resumeToken });

    expect(ids(rest)).toEqual(recorded.slice(nth + 1));
  }
});

test("an export that is resumed ends where it would have ended", async () => {
  const [first] = await exported({ agentId: "dan" }, "auditor", 1);
  expect(first).toBeUndefined();
  await market.as("operator").ledger.deposit({ depositId: "d-2", owner: "dan", amount: eur(500) });
  const early = await record("dan", "eve");
  const [begun] = await exported({ agentId: "dan" }, "auditor", 1);
  await record("dan", "eve");

  const rest = await exported({ agentId: "dan", resumeToken: begun?.resumeToken ?? "" });

  expect(ids(begun === undefined ? [] : [begun])).toEqual([early]);
  expect(rest).toEqual([]);
  expect(await exported({ agentId: "dan" })).toHaveLength(2);
});

test("an export holds what passes its filter", async () => {
  const provider = { agentId: "cid", role: PartyRole.PROVIDER };
  expect(ids(await exported(provider))).toEqual([recorded[3]]);
  expect(await exported({ agentId: "cid", role: PartyRole.PAYER })).toEqual([]);
  expect(ids(await exported({ state: TransactionState.SETTLED }))).toEqual([recorded[0]]);
  expect(await exported({ capability: "none" })).toEqual([]);
  expect(await exported({ endTime: { seconds: 1n, nanos: 0 } })).toEqual([]);
});

test("whoever asks for one side says of which agent", async () => {
  const { ledger } = market.as("auditor");
  const asked = { role: PartyRole.PAYER };
  const calls: (() => Promise<unknown>)[] = [
    () => ledger.listTransactions(asked),
    () => ledger.summarizeTransactions(asked),
    () => exported(asked),
    () => streamed((signal) => ledger.watchTransactions(asked, { signal })).next(),
  ];

  for (const call of calls) {
    expect(await faultsIn(call())).toEqual([expect.stringMatching(/role.*agent_id/)]);
  }
});

test("an agent exports its own history and no other", async () => {
  expect(ids(await exported({ agentId: "cid" }, "agent:cid"))).toEqual([recorded[3]]);
  expect(await refusal(exported({ agentId: "ann" }, "agent:cid"))).toBe("PERMISSION_DENIED");
  expect(await refusal(exported({}, "agent:cid"))).toBe("PERMISSION_DENIED");
});

test("a token of another filter or of nobody's making is refused", async () => {
  const [first] = await exported({}, "auditor", 1);
  const token = first?.resumeToken ?? "";

  expect(await refusal(exported({ resumeToken: token, capability: "translate" }))).toBe(
    "INVALID_RESUME_TOKEN",
  );
  expect(await refusal(exported({ resumeToken: "what" }))).toBe("INVALID_RESUME_TOKEN");
});

async function faultsIn(call: Promise<unknown>) {
  const error = await call.then(undefined, (failure) => failure);
  return faultsOf(error).map(({ description }) => description);
}

async function refusal(call: Promise<unknown>) {
  return reasonOf(await call.then(undefined, (error) => error));
}
