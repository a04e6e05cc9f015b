import { businessEvents, type Logger } from "@bourse/telemetry";
import type { Happening } from "./books.ts";
import type { Transaction } from "./transaction.ts";

type TransactionFields = {
  readonly transaction_id: string;
  readonly payer: string;
  readonly provider: string;
  readonly state: string;
  readonly amount_micros: bigint;
  readonly settled_micros: bigint;
  readonly currency: string;
};

/** The business events of the ledger. */
export type LedgerEvents = {
  readonly transaction_recorded: TransactionFields;
  readonly transaction_settled: TransactionFields;
  readonly transaction_cancelled: TransactionFields;
  readonly transaction_disputed: TransactionFields;
  readonly delivery_recorded: TransactionFields;
  readonly evidence_submitted: TransactionFields & { readonly nth: number };
  readonly vote_cast: TransactionFields & { readonly provider_share_bps: number };
  readonly dispute_resolved: TransactionFields & {
    readonly rule: string;
    readonly owed_micros: bigint;
  };
  readonly transfer_posted: {
    readonly kind: string;
    readonly id: string;
    readonly owner: string;
    readonly amount_micros: bigint;
    readonly currency: string;
  };
  readonly credit_limit_set: {
    readonly owner: string;
    readonly currency: string;
    readonly limit_micros: bigint;
  };
  readonly account_status_set: {
    readonly owner: string;
    readonly currency: string;
    readonly status: string;
  };
};

/** Returns the function that writes one log line for each thing that happened. */
export function ledgerEvents(logger: Logger): (happening: Happening) => void {
  const tell = businessEvents<LedgerEvents>(logger);
  // Every payment: the journal has them all, and lines would take a tenth of the ledger's time.
  const murmur = businessEvents<LedgerEvents>(logger, "debug");
  return (happening) => {
    switch (happening.kind) {
      case "transfer_posted": {
        const { kind, id, owner, amount, currency } = happening.transfer;
        tell("transfer_posted", { kind, id, owner, amount_micros: amount, currency });
        break;
      }
      case "credit_limit_set": {
        const { owner, currency, creditLimit } = happening.account;
        tell("credit_limit_set", { owner, currency, limit_micros: creditLimit });
        break;
      }
      case "account_status_set": {
        const { owner, currency, status } = happening.account;
        tell("account_status_set", { owner, currency, status });
        break;
      }
      case "evidence_submitted":
        tell(happening.kind, { ...fieldsOf(happening.transaction), nth: happening.nth });
        break;
      case "vote_cast":
        tell(happening.kind, {
          ...fieldsOf(happening.transaction),
          provider_share_bps: happening.vote.shareBps,
        });
        break;
      case "dispute_resolved":
        tell(happening.kind, {
          ...fieldsOf(happening.transaction),
          rule: happening.transaction.dispute?.ruling?.rule ?? "",
          owed_micros: happening.transaction.owed,
        });
        break;
      case "transaction_recorded":
      case "transaction_settled":
      case "transaction_cancelled":
        murmur(happening.kind, fieldsOf(happening.transaction));
        break;
      default:
        tell(happening.kind, fieldsOf(happening.transaction));
    }
  };
}

/** Returns the function that tells each listener of all that happened, one listener after another. */
export function tellAll(
  ...listeners: readonly ((happening: Happening) => void)[]
): (happenings: readonly Happening[]) => void {
  return (happenings) => {
    for (const listener of listeners) happenings.forEach(listener);
  };
}

function fieldsOf(transaction: Transaction): TransactionFields {
  return {
    transaction_id: transaction.id,
    payer: transaction.payer,
    provider: transaction.provider,
    state: transaction.state,
    amount_micros: transaction.amount.micros,
    settled_micros: transaction.settled,
    currency: transaction.amount.currency,
  };
}
