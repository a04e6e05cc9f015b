import { randomUUIDv7 } from "node:crypto";
import {
  BatchRecordTransactionsRequestSchema,
  BatchRecordTransactionsResponseSchema,
  LedgerService,
  RecordTransactionRequestSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { openCaller } from "./caller.ts";
import type { Deed } from "./load.ts";
import { CURRENCY, drawTrade, type Parties } from "./parties.ts";

/** A ledger that is called over gRPC. */
export interface Remote extends Disposable {
  /** Records one transaction, which holds its amount: one movement. */
  readonly record: (parties: Parties) => Deed;
  /** Records `parcel` transactions in one call. */
  readonly recordMany: (parties: Parties, parcel: number) => Deed;
}

const RECORD = `${LedgerService.typeName}/RecordTransaction`;
const RECORD_MANY = `${LedgerService.typeName}/BatchRecordTransactions`;

/** Calls the ledger at `address`, as whom the token names. */
export function openRemote(address: string, token: string): Remote {
  const caller = openCaller(address, token);
  return {
    record: (parties) => async (timed) => {
      const request = encode(RecordTransactionRequestSchema, drawRequest(parties));
      await timed(1, () => caller.call(RECORD, request));
    },
    recordMany: (parties, parcel) => async (timed) => {
      const entries = Array.from({ length: parcel }, () => ({
        deed: { case: "record" as const, value: drawRequest(parties) },
      }));
      const request = encode(BatchRecordTransactionsRequestSchema, { entries });
      const answer = await timed(parcel, () => caller.call(RECORD_MANY, request));
      const { results } = fromBinary(BatchRecordTransactionsResponseSchema, answer);
      const refusal = results.find((result) => result.refusal !== undefined)?.refusal;
      if (refusal !== undefined) throw new Error(refusal.message);
    },
    [Symbol.dispose]: () => caller[Symbol.dispose](),
  };
}

function encode<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Uint8Array {
  return toBinary(schema, create(schema, init));
}

function drawRequest(parties: Parties) {
  const { payer, provider, micros } = drawTrade(parties, Math.random);
  const amount = { micros, currencyCode: CURRENCY };
  return { transactionId: randomUUIDv7(), payer, provider, capability: "bench", amount };
}
