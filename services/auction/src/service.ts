import type { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { awardMethods } from "./service/awards.ts";
import { bidMethods } from "./service/bids.ts";
import { erasureMethods } from "./service/erasure.ts";
import { insightMethods } from "./service/insight.ts";
import type { Parts } from "./service/parts.ts";
import { taskMethods } from "./service/tasks.ts";
import { watchMethods } from "./service/watch.ts";

/** The handlers of the contract: they decode, call the domain, and encode. */
export function auctionService(parts: Parts): ServiceImpl<typeof AuctionService> {
  return {
    ...taskMethods(parts),
    ...bidMethods(parts),
    ...awardMethods(parts),
    ...insightMethods(parts),
    ...watchMethods(parts),
    ...erasureMethods(parts),
  };
}
