import type { Metrics } from "@bourse/telemetry";
import type { Happening } from "./books.ts";
import type { LedgerStore, Road } from "./store.ts";

/** What the ledger measures. */
export interface LedgerMetrics {
  count(happening: Happening): void;
  countBatch(size: number): void;
}

/** Counts how batches are decided; `read` ones are what was done before and is told again. */
export function countRoads(metrics: Metrics): (road: Road) => void {
  const batches = metrics.counter("ledger_batches_total", "Batches by how they were decided", [
    "road",
  ]);
  return (road) => batches.inc({ road });
}

/** Declares the metrics of the ledger; `waiting` tells how many commands wait for their batch. */
export function ledgerMetrics(
  metrics: Metrics,
  store: Pick<LedgerStore, "countOpen">,
  waiting: () => number,
): LedgerMetrics {
  const transactions = metrics.counter(
    "marketplace_transactions_total",
    "Transactions that came into a state",
    ["state"],
  );
  const duration = metrics.histogram(
    "marketplace_transaction_duration_seconds",
    "Time from the hold to the settlement, cancellation or ruling",
    { labels: ["state"], buckets: [1, 10, 60, 300, 900, 3_600, 14_400, 86_400, 604_800] },
  );
  const settled = metrics.counter(
    "marketplace_settled_micros_total",
    "Micros paid to providers by settlement",
    ["currency"],
  );
  const disputes = metrics.counter(
    "marketplace_disputes_total",
    "Disputes that were opened or resolved, and what was said in them",
    ["event"],
  );
  const rulings = metrics.counter(
    "marketplace_rulings_total",
    "Transactions that ended by a rule or a ruling",
    ["rule"],
  );
  metrics.collect("marketplace_open_holds", "Holds that are not resolved", [], async () => {
    return (await store.countOpen()).openHolds;
  });
  metrics.collect("marketplace_open_disputes", "Transactions in dispute", [], async () => {
    return (await store.countOpen()).disputed;
  });
  const batches = metrics.histogram("ledger_batch_commands", "Commands per database transaction", {
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000],
  });
  metrics.collect("ledger_waiting_commands", "Commands that wait for a batch", [], waiting);

  return {
    countBatch: (size) => batches.observe(size),
    count(happening) {
      if (!("transaction" in happening)) return;
      const { kind, transaction } = happening;
      if (kind === "evidence_submitted") disputes.inc({ event: "evidence" });
      if (kind === "vote_cast") disputes.inc({ event: "vote" });
      if (!MOVED.has(kind)) return;
      const state = transaction.state.toLowerCase();
      transactions.inc({ state });
      if (kind === "transaction_disputed") disputes.inc({ event: "opened" });
      if (kind === "dispute_resolved") disputes.inc({ event: "resolved" });
      const rule = ruleOf(happening);
      if (rule !== undefined) rulings.inc({ rule });
      if (kind === "transaction_settled") {
        settled.inc({ currency: transaction.amount.currency }, Number(transaction.settled));
      }
      if (state === "settled" || state === "cancelled") {
        const ms = transaction.updatedAt.getTime() - transaction.createdAt.getTime();
        duration.observe({ state }, ms / 1_000);
      }
    },
  };
}

/** What brings a transaction into another state. */
const MOVED: ReadonlySet<Happening["kind"]> = new Set([
  "transaction_recorded",
  "transaction_settled",
  "transaction_cancelled",
  "transaction_disputed",
  "dispute_resolved",
]);

function ruleOf(happening: Happening): string | undefined {
  switch (happening.kind) {
    case "transaction_settled":
    case "transaction_cancelled":
      return happening.transaction.endRule;
    case "dispute_resolved":
      return happening.transaction.dispute?.ruling?.rule;
    default:
      return undefined;
  }
}
