import { randomUUID } from "node:crypto";
import type { RecordTransactionRequestSchema } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { eur, money } from "../../support/money.ts";
import { NO_TRANSACTION, type Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;
const UNKNOWN = { code: "NotFound", reason: "TRANSACTION_NOT_FOUND" } as const;
const NOT_PARTY = { code: "PermissionDenied", reason: "NOT_TRANSACTION_PARTY" } as const;
const WRONG_STATE = { code: "FailedPrecondition", reason: "INVALID_TRANSACTION_STATE" } as const;

type Recording = Exclude<
  MessageInitShape<typeof RecordTransactionRequestSchema>,
  { readonly $typeName: string }
>;

/** A transaction that would be recorded but for what is said. */
function recording(
  what: string,
  wish: Recording,
  refused: Pick<Row, "code" | "reason" | "field" | "leaves">,
): Row {
  return {
    title: `recording a transaction ${what}`,
    call: ({ buyer, worker }) =>
      buyer.ledger.recordTransaction({
        transactionId: randomUUID(),
        payer: buyer.id,
        provider: worker.id,
        capability: "x",
        amount: eur(1),
        ...wish,
      }),
    ...refused,
  };
}

/** What the books must refuse. */
export const ledgerRows: readonly Row[] = [
  recording(
    "with an id that is no UUID",
    { transactionId: "42" },
    { ...INVALID, field: "transaction_id" },
  ),
  recording("with nobody", { provider: "" }, { ...INVALID, field: "provider" }),
  recording(
    "with the market's own account",
    { provider: "@world" },
    { ...INVALID, field: "provider" },
  ),
  recording("for nothing", { amount: eur(0) }, { ...INVALID, field: "amount" }),
  recording("for less than nothing", { amount: eur(-5) }, { ...INVALID, field: "amount" }),
  recording(
    "for more than there is",
    { amount: { micros: 2n ** 63n - 1n, currencyCode: "EUR" } },
    { ...INVALID, field: "amount.micros" },
  ),
  recording(
    "in a currency in small letters",
    { amount: money(1, "eur") },
    { ...INVALID, field: "amount.currency_code" },
  ),
  recording("for no capability", { capability: "" }, { ...INVALID, field: "capability" }),
  recording(
    "with notes of 20 KiB",
    { context: { text: "x".repeat(20 * 1024) } },
    { ...INVALID, field: "context" },
  ),
  recording(
    "in a currency that the payer has not",
    { amount: money(1, "USD") },
    {
      code: "FailedPrecondition",
      reason: "INSUFFICIENT_FUNDS",
      leaves: ["ledger.burnt_transactions"],
    },
  ),
  recording(
    "for more than the payer has",
    { amount: eur(1_000) },
    {
      code: "FailedPrecondition",
      reason: "INSUFFICIENT_FUNDS",
      leaves: ["ledger.burnt_transactions"],
    },
  ),
  {
    title: "recording a transaction with oneself",
    call: ({ buyer }) =>
      buyer.ledger.recordTransaction({
        transactionId: randomUUID(),
        payer: buyer.id,
        provider: buyer.id,
        capability: "x",
        amount: eur(1),
      }),
    code: "InvalidArgument",
    reason: "SAME_PARTY",
  },
  {
    title: "recording a transaction at another's expense",
    call: ({ worker, buyer }) =>
      worker.ledger.recordTransaction({
        transactionId: randomUUID(),
        payer: buyer.id,
        provider: worker.id,
        capability: "x",
        amount: eur(1),
      }),
    ...DENIED,
  },
  {
    title: "recording a transaction under the id of another",
    call: ({ buyer, worker, pending }) =>
      buyer.ledger.recordTransaction({
        transactionId: pending,
        payer: buyer.id,
        provider: worker.id,
        capability: "x",
        amount: eur(2),
      }),
    code: "AlreadyExists",
    reason: "TRANSACTION_ID_REUSED",
  },
  {
    title: "settling a transaction that was never there",
    call: ({ operator }) => operator.ledger.settleTransaction({ transactionId: NO_TRANSACTION }),
    ...UNKNOWN,
  },
  {
    title: "settling what one is to be paid",
    call: ({ worker, pending }) => worker.ledger.settleTransaction({ transactionId: pending }),
    ...NOT_PARTY,
  },
  {
    title: "settling more than is held",
    call: ({ buyer, pending }) =>
      buyer.ledger.settleTransaction({ transactionId: pending, amount: eur(1.01) }),
    code: "FailedPrecondition",
    reason: "AMOUNT_EXCEEDS_HOLD",
  },
  {
    title: "settling in another currency",
    call: ({ buyer, pending }) =>
      buyer.ledger.settleTransaction({ transactionId: pending, amount: money(1, "USD") }),
    code: "FailedPrecondition",
    reason: "CURRENCY_MISMATCH",
  },
  {
    title: "settling nothing",
    call: ({ buyer, pending }) =>
      buyer.ledger.settleTransaction({ transactionId: pending, amount: eur(0) }),
    ...INVALID,
    field: "amount",
  },
  {
    title: "settling in part what was settled whole",
    call: ({ buyer, settled }) =>
      buyer.ledger.settleTransaction({ transactionId: settled, amount: eur(0.5) }),
    code: "FailedPrecondition",
    reason: "ALREADY_SETTLED_DIFFERENTLY",
  },
  {
    title: "settling what was cancelled",
    call: ({ operator, ended }) => operator.ledger.settleTransaction({ transactionId: ended }),
    ...WRONG_STATE,
  },
  {
    title: "settling what is in dispute",
    call: ({ buyer, disputed }) => buyer.ledger.settleTransaction({ transactionId: disputed }),
    ...WRONG_STATE,
  },
  {
    title: "settling what the auction holds for a task",
    call: ({ buyer, awarded }) =>
      buyer.ledger.settleTransaction({ transactionId: awarded.award?.transactionId ?? "" }),
    ...NOT_PARTY,
  },
  {
    title: "cancelling what one has promised to pay",
    call: ({ buyer, pending }) => buyer.ledger.cancelTransaction({ transactionId: pending }),
    ...NOT_PARTY,
  },
  {
    title: "cancelling what was settled",
    call: ({ operator, settled }) => operator.ledger.cancelTransaction({ transactionId: settled }),
    ...WRONG_STATE,
  },
];
