import type { OutboxMessage } from "@bourse/postgres";
import type { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { deliverLineage, LINEAGE } from "@bourse/service/lineage";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { REQUESTS } from "./codec/message.ts";

/** The services that the auction tells what follows from its tasks. */
export interface Peers {
  readonly ledger: Client<typeof LedgerService>;
  readonly lineage: Client<typeof LineageService>;
  readonly registry: Client<typeof RegistryService>;
}

/** Returns the function that brings an outbox message to the service that it is for. */
export function createCourier(
  peers: Peers,
): (message: OutboxMessage, signal: AbortSignal) => Promise<void> {
  const { ledger, registry } = peers;
  const tellLineage = deliverLineage(peers.lineage);
  return async (message, signal) => {
    const payload = message.payload as JsonValue;
    switch (message.kind) {
      case "settle":
        await ledger.settleTransaction(fromJson(REQUESTS.settle, payload), { signal });
        return;
      case "cancel":
        await ledger.cancelTransaction(fromJson(REQUESTS.cancel, payload), { signal });
        return;
      case "credits":
        await ledger.postCredits(fromJson(REQUESTS.credits, payload), { signal });
        return;
      case "outcome":
        await registry.recordOutcome(fromJson(REQUESTS.outcome, payload), { signal });
        return;
      case LINEAGE:
        await tellLineage(message, signal);
        return;
      default:
        throw new Error(`nobody takes messages of kind ${message.kind}`);
    }
  };
}
