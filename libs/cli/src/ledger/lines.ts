import {
  type Movement,
  MovementKindSchema,
  type Transaction,
  TransactionStateSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  type ExportHistoryResponse,
  ExportHistoryResponseSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { stringify } from "csv-stringify/sync";
import { nameOf } from "../demo/read.ts";

/** How an export is written down. */
export interface Format {
  /** What comes first; "" for nothing. */
  readonly head: string;
  /** The lines of one transaction, each with its end. */
  lines(event: ExportHistoryResponse): string;
}

/**
 * JSON lines (one transaction each, as protobuf has it in JSON: amounts in micros as texts, times
 * as RFC 3339) and CSV (RFC 4180, one movement each).
 */
export const FORMATS = {
  jsonl: {
    head: "",
    lines: (event) => {
      const options = { useProtoFieldName: true, alwaysEmitImplicit: true };
      const json = toJson(ExportHistoryResponseSchema, event, options);
      const { resume_token, ...document } = json as Record<string, unknown>;
      return `${JSON.stringify(document)}\n`;
    },
  },
  csv: {
    head: csv([
      [
        "transaction_id",
        "state",
        "payer",
        "provider",
        "capability",
        "recorder",
        "group_id",
        "currency",
        "amount_micros",
        "settled_micros",
        "owed_micros",
        "create_time",
        "update_time",
        "settle_time",
        "context",
        "movement_id",
        "movement_kind",
        "debit_owner",
        "credit_owner",
        "movement_micros",
        "hold_id",
        "movement_time",
      ],
    ]),
    lines: ({ transaction, movements }) => {
      if (transaction === undefined) return "";
      const common = transactionColumns(transaction);
      return csv(movements.map((movement) => [...common, ...movementColumns(movement)]));
    },
  },
} as const satisfies Record<string, Format>;

function transactionColumns(transaction: Transaction): readonly string[] {
  return [
    transaction.transactionId,
    nameOf(TransactionStateSchema, transaction.state),
    transaction.payer,
    transaction.provider,
    transaction.capability,
    transaction.recorder,
    transaction.groupId,
    transaction.amount?.currencyCode ?? "",
    String(transaction.amount?.micros ?? 0n),
    String(transaction.settledAmount?.micros ?? 0n),
    String(transaction.owedAmount?.micros ?? 0n),
    timeText(transaction.createTime),
    timeText(transaction.updateTime),
    timeText(transaction.settleTime),
    transaction.context === undefined ? "" : JSON.stringify(transaction.context),
  ];
}

function movementColumns(movement: Movement): readonly string[] {
  return [
    movement.movementId,
    nameOf(MovementKindSchema, movement.kind),
    movement.debitOwner,
    movement.creditOwner,
    String(movement.amount?.micros ?? 0n),
    movement.holdId,
    timeText(movement.createTime),
  ];
}

/**
 * Lines that end as RFC 4180 has it. A text that a spreadsheet would run as a formula gets a `'` in
 * front: capabilities and notes are what strangers wrote.
 */
function csv(rows: readonly (readonly string[])[]): string {
  return stringify(
    rows.map((row) => [...row]),
    { record_delimiter: "windows", escape_formulas: true },
  );
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}
