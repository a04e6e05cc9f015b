import {
  TransferKind as KindNumber,
  type Transfer as TransferMessage,
  TransferSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { ListTransfersRequest } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { TransferKind } from "./books.ts";
import type { TransferEntry, TransferFilter } from "./statement.ts";
import { decodeTime } from "./time.ts";

const KINDS: ReadonlyMap<KindNumber, TransferKind> = new Map([
  [KindNumber.DEPOSIT, "DEPOSIT"],
  [KindNumber.WITHDRAWAL, "WITHDRAWAL"],
  [KindNumber.CREDIT, "CREDIT"],
]);

/** Which transfers are wanted. Throws INVALID_REQUEST. */
export function decodeTransferFilter({
  owner,
  kind,
  startTime,
  endTime,
}: Pick<ListTransfersRequest, "owner" | "kind" | "startTime" | "endTime">): TransferFilter {
  return {
    owner: owner === "" ? undefined : owner,
    kind: KINDS.get(kind),
    from: decodeTime("start_time", startTime),
    until: decodeTime("end_time", endTime),
  };
}

/** A transfer as callers see it. */
export function encodeTransfer(transfer: TransferEntry): TransferMessage {
  const { kind, id: transferId, owner, amount, currency, taskId, createdAt } = transfer;
  return create(TransferSchema, {
    kind: KindNumber[kind],
    transferId,
    owner,
    amount: { micros: amount, currencyCode: currency },
    taskId,
    createTime: timestampFromDate(createdAt),
  });
}
