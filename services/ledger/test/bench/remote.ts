import { randomUUIDv7 } from "node:crypto";
import {
  type BatchEntrySchema,
  BatchRecordTransactionsRequestSchema,
  BatchRecordTransactionsResponseSchema,
  LedgerService,
  RecordTransactionRequestSchema,
  SettleTransactionRequestSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { openCaller } from "@bourse/rpc/bench";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Deed } from "./load.ts";
import { CURRENCY, drawTrade, type Parties } from "./parties.ts";

/** A ledger that is called over gRPC. */
export interface Remote extends Disposable {
  /** Holds a trade in one call and settles it in another: one movement each. */
  readonly lifecycle: (parties: Parties) => Deed;
  /** Holds `parcel` trades in one call and settles them in another. */
  readonly lifecycleMany: (parties: Parties, parcel: number) => Deed;
}

type Entry = MessageInitShape<typeof BatchEntrySchema>;

const RECORD = `${LedgerService.typeName}/RecordTransaction`;
const SETTLE = `${LedgerService.typeName}/SettleTransaction`;
const BATCH = `${LedgerService.typeName}/BatchRecordTransactions`;

/** Calls the ledger at `address`, as whom the token names. */
export function openRemote(address: string, token: string): Remote {
  const caller = openCaller(address, token);
  const callMany = async (entries: Entry[]): Promise<void> => {
    const request = encode(BatchRecordTransactionsRequestSchema, { entries });
    const { results } = fromBinary(
      BatchRecordTransactionsResponseSchema,
      await caller.call(BATCH, request),
    );
    const refusal = results.find((result) => result.refusal !== undefined)?.refusal;
    if (refusal !== undefined) throw new Error(refusal.message);
  };
  return {
    lifecycle: (parties) => async (timed) => {
      const trade = drawRequest(parties);
      const { transactionId } = trade;
      const record = encode(RecordTransactionRequestSchema, trade);
      await timed(1, () => caller.call(RECORD, record));
      const settle = encode(SettleTransactionRequestSchema, { transactionId });
      await timed(1, () => caller.call(SETTLE, settle));
    },
    lifecycleMany: (parties, parcel) => async (timed) => {
      const trades = Array.from({ length: parcel }, () => drawRequest(parties));
      await timed(parcel, () =>
        callMany(trades.map((value) => ({ deed: { case: "record", value } }))),
      );
      await timed(parcel, () =>
        callMany(
          trades.map(({ transactionId }) => ({
            deed: { case: "settle", value: { transactionId } },
          })),
        ),
      );
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
