import type { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { refuseObstacles } from "../erasure.ts";
import type { Parts } from "./parts.ts";

/** EraseAgent, for the registry. */
export function erasureMethods({
  eraser,
}: Pick<Parts, "eraser">): Pick<ServiceImpl<typeof AuctionService>, "eraseAgent"> {
  return {
    async eraseAgent({ agentId, alias }, ctx) {
      refuseObstacles(await eraser.obstacles(agentId));
      await eraser.erase(agentId, alias, ctx.signal);
      return {};
    },
  };
}
