import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { durationFromMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import { type NoPlace, type Places, slotsUnavailable } from "./slot.ts";

/** What a refusal of the registry says of a place. */
const LACKS: Readonly<Record<string, NoPlace>> = {
  AGENT_FULL: "full",
  AGENT_NOT_AVAILABLE: "not_available",
  AGENT_NOT_FOUND: "not_available",
  TOO_MANY_SLOTS: "share_taken",
};

/** The registry cannot read or write the places of this agent; those of agents in other shards it may. */
const LEASES_AWAY = "AVAILABILITY_UNAVAILABLE";

/** Ways in which the registry, or its store of leases, is away. */
const AWAY: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled]);

/** Takes places at the registry for `holder`, each for `timeoutMs`, for a call whose options these are. */
export function placesAt(
  registry: Client<typeof RegistryService>,
  holder: string,
  timeoutMs: number,
  options: CallOptions,
): Places {
  function release(agentId: string, slotId: string): void {
    // The call it was for may be over; where this fails, the place ends by itself.
    registry.releaseSlot({ agentId, slotId }).catch(() => {});
  }

  return {
    async acquire(agentId, slotId) {
      const timeout = durationFromMs(timeoutMs);
      try {
        const asked = { agentId, slotId, timeout, holder };
        const { slot } = await registry.acquireSlot(asked, options);
        if (slot?.expireTime === undefined) throw new Error("a slot has an end");
        return { agentId, slotId, expireAt: timestampDate(slot.expireTime) };
      } catch (error) {
        const lack = LACKS[reasonOf(error) ?? ""];
        if (lack !== undefined) return lack;
        // Nobody knows whether it was taken.
        release(agentId, slotId);
        if (reasonOf(error) === LEASES_AWAY) return "away";
        throw isAway(error) ? slotsUnavailable(error) : error;
      }
    },
    release,
  };
}

function isAway(error: unknown): boolean {
  return error instanceof ConnectError && AWAY.has(error.code);
}
