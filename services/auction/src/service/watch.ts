import type { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { readState, writeTask } from "../codec/task.ts";
import type { TaskState } from "../task.ts";
import { callerOf, type Parts } from "./parts.ts";

type WatchMethods = Pick<ServiceImpl<typeof AuctionService>, "watchTasks">;

const SNAPSHOT_STATES: readonly TaskState[] = ["OPEN"];

/** Following. */
export function watchMethods({ feed, readChanges, idleMs }: Parts): WatchMethods {
  return {
    async *watchTasks(request, ctx) {
      const viewer = callerOf(ctx);
      const states = request.states.map(readState);
      const events = feed.follow({
        token: request.resumeToken,
        signal: ctx.signal,
        idleMs,
        read: readChanges({
          capabilities: request.capabilities.map((name) => name.trim().toLowerCase()),
          states: states.length === 0 ? SNAPSHOT_STATES : states,
          requester: request.requester,
          winner: request.winner,
        }),
      });
      for await (const event of events) {
        const resumeToken = event.token;
        if (event.kind === "item") {
          const value = writeTask(event.value, viewer);
          yield { event: { case: "task" as const, value }, resumeToken };
        } else if (event.kind === "synced") {
          yield { event: { case: "synced" as const, value: true }, resumeToken };
        } else if (event.kind === "idle") {
          yield { event: { case: "idle" as const, value: true }, resumeToken };
        }
      }
    },
  };
}
