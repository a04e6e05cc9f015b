import { TransactionSchema } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { encodeAgreement } from "./agreement-codec.ts";
import { encodeEvidence, encodeState } from "./codec.ts";
import { encodeContest } from "./dispute-codec.ts";
import type { Transaction } from "./transaction.ts";

// Nearly every answer of the ledger is one transaction. What all of them have is written here field by
// field, for a sixth of what it takes to make a message of it first; what few have, by the library.

/** Keeps its memory from one answer to the next. */
const writer = new BinaryWriter();

/** A response whose only field, the first, is a transaction, in its binary form. */
export function encodeOnlyTransaction(transaction: Transaction): Uint8Array {
  try {
    begin(1);
    writeTransaction(transaction);
    writer.join();
    return writer.finish();
  } catch (error) {
    // The next answer must not begin with the half of this one.
    writer.finish();
    throw error;
  }
}

function writeTransaction(transaction: Transaction): void {
  const { amount, hold, settledAt } = transaction;
  text(1, transaction.id);
  text(2, transaction.payer);
  text(3, transaction.provider);
  text(4, transaction.capability);
  money(5, amount.micros, amount.currency);
  writer.tag(6, WireType.Varint).int32(encodeState(transaction.state));
  money(7, transaction.settled, amount.currency);
  text(10, transaction.recorder);
  time(11, transaction.createdAt.getTime());
  time(12, transaction.updatedAt.getTime());
  if (settledAt !== undefined) time(13, settledAt.getTime());
  money(14, transaction.owed, amount.currency);
  if (transaction.groupId !== undefined) text(15, transaction.groupId);
  time(16, transaction.holdMs);
  if (hold?.dueAt !== undefined) time(17, hold.dueAt.getTime());
  if (hasMore(transaction)) writer.raw(toBinary(TransactionSchema, more(transaction)));
}

function hasMore({ context, delivery, arbitration, delivered, dispute, endRule }: Transaction) {
  return [context, delivery, arbitration, delivered, dispute, endRule].some(
    (part) => part !== undefined,
  );
}

function more(transaction: Transaction) {
  const { holdTimeout, dueTime, ...agreement } = encodeAgreement(transaction);
  const init: MessageInitShape<typeof TransactionSchema> = {
    evidence: encodeEvidence(transaction),
    ...agreement,
    ...encodeContest(transaction),
  };
  if (transaction.context !== undefined) init.context = transaction.context as never;
  return create(TransactionSchema, init);
}

function begin(field: number): void {
  writer.tag(field, WireType.LengthDelimited).fork();
}

function text(field: number, value: string): void {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

function money(field: number, micros: bigint, currency: string): void {
  begin(field);
  if (micros !== 0n) writer.tag(1, WireType.Varint).int64(micros);
  text(2, currency);
  writer.join();
}

/** A Timestamp or a Duration, which have the same fields; `ms` is not negative. */
function time(field: number, ms: number): void {
  const seconds = Math.floor(ms / 1_000);
  const nanos = Math.round((ms - seconds * 1_000) * 1_000_000);
  begin(field);
  if (seconds !== 0) writer.tag(1, WireType.Varint).int64(seconds);
  if (nanos !== 0) writer.tag(2, WireType.Varint).int32(nanos);
  writer.join();
}
