import { createLogger, createMetrics } from "@bourse/telemetry";
import { expect, test } from "vitest";
import type { Happening } from "../src/books.ts";
import { ledgerEvents } from "../src/events.ts";
import { ledgerMetrics } from "../src/metrics.ts";
import type { Transaction } from "../src/transaction.ts";
import { eur, recordOf } from "./books.ts";

const CREATED = new Date("2026-11-21T12:00:00Z");

function aTransaction(fields: Partial<Transaction> = {}): Transaction {
  return {
    ...recordOf().terms,
    state: "PENDING",
    settled: 0n,
    owed: 0n,
    hold: undefined,
    delivered: undefined,
    dispute: undefined,
    endRule: undefined,
    createdAt: CREATED,
    updatedAt: new Date(CREATED.getTime() + 5_000),
    settledAt: undefined,
    ...fields,
  };
}

const SETTLED = aTransaction({ state: "SETTLED", settled: 60n, context: { secret: "s3cret" } });
const HAPPENINGS: readonly Happening[] = [
  { kind: "transaction_recorded", transaction: aTransaction() },
  { kind: "transaction_settled", transaction: SETTLED },
  { kind: "transaction_disputed", transaction: aTransaction({ state: "DISPUTED" }) },
  { kind: "dispute_resolved", transaction: aTransaction({ state: "CANCELLED", owed: 3n }) },
];

test("what happened is counted by state, with how long it took and what was paid", async () => {
  const metrics = createMetrics({ service: "ledger" });
  const store = { countOpen: async () => ({ openHolds: 7, disputed: 2 }) };
  const measures = ledgerMetrics(metrics, store, () => 4);

  for (const happening of HAPPENINGS) measures.count(happening);
  measures.countBatch(3);

  const text = await metrics.registry.metrics();
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      'marketplace_transactions_total{state="settled",service="ledger"} 1',
      'marketplace_transaction_duration_seconds_sum{service="ledger",state="settled"} 5',
      'marketplace_settled_micros_total{currency="EUR",service="ledger"} 60',
      'marketplace_disputes_total{event="opened",service="ledger"} 1',
      'marketplace_disputes_total{event="resolved",service="ledger"} 1',
      'marketplace_open_holds{service="ledger"} 7',
      'marketplace_open_disputes{service="ledger"} 2',
      'ledger_waiting_commands{service="ledger"} 4',
      'ledger_batch_commands_sum{service="ledger"} 3',
    ]),
  );
});

test.each([
  ["debug", ["transaction_recorded", "transaction_settled"]],
  ["info", []],
] as const)("each thing that happened is one line of the log at %s", (level, payments) => {
  const lines: string[] = [];
  const logger = createLogger({
    service: "ledger",
    level,
    sink: { write: (text) => lines.push(...text.trimEnd().split("\n")) },
  });
  const tell = ledgerEvents(logger);
  const transfer = {
    kind: "DEPOSIT",
    id: "d-1",
    owner: "ann",
    ...{ currency: eur(1).currency, amount: 5n, taskId: "", burnt: false },
  } as const;

  for (const happening of HAPPENINGS) tell(happening);
  tell({ kind: "transfer_posted", transfer });

  expect(lines.map((line) => JSON.parse(line).event)).toEqual([
    ...payments,
    "transaction_disputed",
    "dispute_resolved",
    "transfer_posted",
  ]);
  expect(JSON.parse(lines.at(-2) ?? "")).toMatchObject({ owed_micros: "3", state: "CANCELLED" });
  expect(lines.join()).not.toContain("s3cret");
});
