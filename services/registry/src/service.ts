import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { breaking } from "./service/breaker.ts";
import { carding } from "./service/card.ts";
import { erasing } from "./service/erasure.ts";
import { explaining } from "./service/explanation.ts";
import { exporting } from "./service/export.ts";
import { beating } from "./service/heartbeat.ts";
import { importing } from "./service/import.ts";
import type { Parts } from "./service/parts.ts";
import { updating } from "./service/profile.ts";
import { reading } from "./service/reading.ts";
import { registering } from "./service/registration.ts";
import { judging } from "./service/reputation.ts";
import { holding } from "./service/slot.ts";
import { watching } from "./service/watch.ts";

/** The handlers of the registry. */
export function registryService(parts: Parts): ServiceImpl<typeof RegistryService> {
  return {
    ...registering(parts),
    ...importing(parts),
    ...exporting(parts),
    ...carding(parts),
    ...updating(parts),
    ...reading(parts),
    ...beating(parts),
    ...holding(parts),
    ...judging(parts),
    ...explaining(parts),
    ...breaking(parts),
    ...erasing(parts),
    ...watching(parts),
  };
}
