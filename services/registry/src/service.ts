import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { erasing } from "./service/erasure.ts";
import { beating } from "./service/heartbeat.ts";
import type { Parts } from "./service/parts.ts";
import { updating } from "./service/profile.ts";
import { reading } from "./service/reading.ts";
import { registering } from "./service/registration.ts";
import { judging } from "./service/reputation.ts";
import { watching } from "./service/watch.ts";

/** The handlers of the registry. */
export function registryService(parts: Parts): ServiceImpl<typeof RegistryService> {
  return {
    ...registering(parts),
    ...updating(parts),
    ...reading(parts),
    ...beating(parts),
    ...judging(parts),
    ...erasing(parts),
    ...watching(parts),
  };
}
