import { randomUUIDv7 } from "node:crypto";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import type { Deed } from "./load.ts";
import { CURRENCY, drawTrade, type Parties } from "./parties.ts";

/** A ledger that is called over gRPC. */
export interface Remote extends Disposable {
  /** Records one transaction, which holds its amount: one movement. */
  readonly record: (parties: Parties) => Deed;
  /** Records `parcel` transactions in one call. */
  readonly recordMany: (parties: Parties, parcel: number) => Deed;
}

const TIMEOUT_MS = 60_000;

/** Dials the ledger at `address`, as whom the token names. */
export function openRemote(address: string, token: string): Remote {
  const channel = dial({ address, token: () => token, timeoutMs: TIMEOUT_MS });
  const ledger = client(LedgerService, channel);
  return {
    record: (parties) => async (timed) => {
      await timed(1, () => ledger.recordTransaction(drawRequest(parties)));
    },
    recordMany: (parties, parcel) => async (timed) => {
      const entries = Array.from({ length: parcel }, () => ({
        deed: { case: "record" as const, value: drawRequest(parties) },
      }));
      await timed(parcel, async () => {
        const { results } = await ledger.batchRecordTransactions({ entries });
        const refusal = results.find((result) => result.refusal !== undefined)?.refusal;
        if (refusal !== undefined) throw new Error(refusal.message);
      });
    },
    [Symbol.dispose]: () => channel.close(),
  };
}

function drawRequest(parties: Parties) {
  const { payer, provider, micros } = drawTrade(parties, Math.random);
  const amount = { micros, currencyCode: CURRENCY };
  return { transactionId: randomUUIDv7(), payer, provider, capability: "bench", amount };
}
