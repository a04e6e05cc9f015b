import { type Pool, type Relay, startRelay } from "@bourse/postgres";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import type { ServiceContext } from "@bourse/service";
import { deliverLineage, permanent } from "@bourse/service/lineage";
import { measureOutbox } from "@bourse/service/outbox";

/** Keys (agents) whose events are told at once; they share calls. */
const CONCURRENCY = 64;

/** Tells the outbox to the ledger at `address`; without one it waits, and undefined is returned. */
export function relayLineage(
  { logger, metrics, token, now, defer }: ServiceContext,
  pool: Pool,
  address: string | undefined,
): Relay | undefined {
  if (address === undefined) return undefined;
  const deliver = deliverLineage(client(LineageService, defer(dial({ address, token }))));
  const relay = defer(
    startRelay({
      pool,
      deliver,
      permanent,
      now,
      concurrency: CONCURRENCY,
      onError: ({ id }, err) =>
        logger.warn({ event: "delivery_failed", message_id: id, err }, "an event must wait"),
      onFault: (err) => logger.warn({ event: "fault", err }, "the outbox cannot be read"),
    }),
  );
  measureOutbox(metrics, relay);
  return relay;
}
