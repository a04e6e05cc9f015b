import type { OutboxMessage } from "@bourse/postgres";
import type { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { deliverLineage, LINEAGE, permanent } from "@bourse/service/lineage";
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
        await unlessOverruled(
          ledger.settleTransaction(fromJson(REQUESTS.settle, payload), { signal }),
        );
        return;
      case "cancel":
        await unlessOverruled(
          ledger.cancelTransaction(fromJson(REQUESTS.cancel, payload), { signal }),
        );
        return;
      case "deliver":
        await unlessOver(ledger.recordDelivery(fromJson(REQUESTS.deliver, payload), { signal }));
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

/**
 * Whether trying a message again cannot help. Money that is frozen by a dispute waits for the
 * ruling.
 */
export function isFinal(error: unknown): boolean {
  return permanent(error) && !isFrozen(error);
}

/** The transaction is over, by a ruling or by a rule: then nobody asks for its delivery any more. */
async function unlessOver(noted: Promise<unknown>): Promise<void> {
  try {
    await noted;
  } catch (error) {
    if (reasonOf(error) !== "INVALID_TRANSACTION_STATE") throw error;
  }
}

/**
 * A ruling, an operator, or a rule of the ledger has moved the money otherwise: then there is
 * nothing left to move.
 */
async function unlessOverruled(moved: Promise<unknown>): Promise<void> {
  try {
    await moved;
  } catch (error) {
    if (!OVERRULED.has(reasonOf(error) ?? "") || isFrozen(error)) throw error;
  }
}

const OVERRULED: ReadonlySet<string> = new Set([
  "INVALID_TRANSACTION_STATE",
  "ALREADY_SETTLED_DIFFERENTLY",
]);

function isFrozen(error: unknown): boolean {
  return (
    reasonOf(error) === "INVALID_TRANSACTION_STATE" && metadataOf(error)["state"] === "DISPUTED"
  );
}
