import { type Pool, type Relay, startRelay, withTransaction } from "@bourse/postgres";
import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import type { ServiceContext } from "@bourse/service";
import { deliverLineage, permanent } from "@bourse/service/lineage";
import { measureOutbox } from "@bourse/service/outbox";
import type { AvailabilityStore } from "./availability-store.ts";
import type { BreakerStore } from "./breaker-store.ts";
import type { Config } from "./config.ts";
import { deliverErasure, ERASE, type Erase } from "./eraser.ts";
import type { Tell } from "./events.ts";
import { renameAgent } from "./postgres/erasure.ts";

/** Keys (agents) whose messages are told at once; events share calls. */
const CONCURRENCY = 64;
/** The lineage need not know sooner, and at a thousand changes a second each look would find a few of them. */
const PACE_MS = 50;
/** How long a service may take to erase an agent that did a great deal. */
const ERASE_MS = 600_000;

/** Where the registry's peers are. */
export type PeerAddresses = Pick<Config, "BOURSE_AUCTION_ADDRESS" | "BOURSE_LEDGER_ADDRESS">;

/** What the relay works with, beside the addresses. */
export interface RelayParts {
  readonly pool: Pool;
  readonly availability: Pick<AvailabilityStore, "forget">;
  readonly breakers: Pick<BreakerStore, "forget">;
  readonly tell: Tell;
}

/** Tells the outbox to the peers; without a ledger it waits, and undefined is returned. */
export function relayOutbox(
  context: ServiceContext,
  addresses: PeerAddresses,
  parts: RelayParts,
): Relay | undefined {
  const { BOURSE_LEDGER_ADDRESS: ledger, BOURSE_AUCTION_ADDRESS: address } = addresses;
  if (ledger === undefined) return undefined;
  const { logger, metrics, token, now, defer } = context;
  const { pool, tell } = parts;
  const ledgerChannel = defer(dial({ address: ledger, token }));
  const tellLineage = deliverLineage(client(LineageService, ledgerChannel));
  const books = client(LedgerService, ledgerChannel);
  const auction = address && client(AuctionService, defer(dial({ address, token })));
  const erase = deliverErasure({
    pool,
    now,
    services: {
      auction: auction
        ? async ({ agentId, alias }) => {
            await auction.eraseAgent({ agentId, alias }, { timeoutMs: ERASE_MS });
          }
        : undefined,
      async ledger({ agentId, alias }) {
        await books.eraseAgent({ agentId, alias }, { timeoutMs: ERASE_MS });
      },
      registry: eraseHere(parts),
    },
    onComplete: (erasureId) => tell("agent_erased", { erasure_id: erasureId }),
  });
  const relay = defer(
    startRelay({
      pool,
      deliver: (message, signal) =>
        message.kind === ERASE ? erase(message) : tellLineage(message, signal),
      permanent,
      concurrency: CONCURRENCY,
      paceMs: PACE_MS,
      onError: ({ id, kind }, err) =>
        logger.warn({ event: "delivery_failed", message_id: id, kind, err }, "it must wait"),
      onFault: (err) => logger.warn({ event: "fault", err }, "the outbox cannot be read"),
    }),
  );
  measureOutbox(metrics, relay);
  return relay;
}

/** The registry's own part, the last. */
export function eraseHere({ pool, availability, breakers }: Omit<RelayParts, "tell">): Erase {
  return async (order) => {
    await withTransaction(pool, (tx) => renameAgent(tx, order));
    // A heartbeat may have come while the agent was being unregistered.
    await availability.forget(order.agentId);
    await breakers.forget(order.agentId);
  };
}
