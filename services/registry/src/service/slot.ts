import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Rejection } from "@bourse/rpc/rejection";
import { type Duration, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import type { SlotKey } from "../availability-store.ts";
import { decodeMs } from "../codec.ts";
import type { Reason } from "../reasons.ts";
import type { Parts } from "./parts.ts";

type Holding = Pick<
  ServiceImpl<typeof RegistryService>,
  "acquireSlot" | "renewSlot" | "releaseSlot"
>;

/** AcquireSlot, RenewSlot, ReleaseSlot. */
export function holding({ store, availability, metrics, now }: Parts): Holding {
  return {
    async acquireSlot({ agentId, slotId, timeout }) {
      const stored = await store.readDeclaration(agentId);
      if (stored === undefined || stored.unregisteredAt !== undefined) throw notFound(agentId);
      const { declaredState, leaseMs, maxConcurrent } = stored;
      const at = now();
      const answer = await availability.acquireSlot({
        agentId,
        slotId,
        now: at,
        expireAt: endOf(timeout, at),
        maxConcurrent,
        takesWork: declaredState === "ONLINE",
        isLeased: leaseMs !== undefined,
      });
      metrics.slotAsked(OUTCOMES[typeof answer === "object" ? "TAKEN" : answer]);
      if (answer === "NOT_AVAILABLE") throw notAvailable(agentId);
      if (answer === "FULL") throw full(agentId);
      return { slot: { agentId, slotId, expireTime: timestampFromDate(answer.expireAt) } };
    },

    async renewSlot({ agentId, slotId, timeout }) {
      const at = now();
      const expireAt = endOf(timeout, at);
      const slot = { agentId, slotId };
      const isOpen = await availability.renewSlot({ ...slot, now: at, expireAt });
      if (!isOpen) throw slotNotFound(slot);
      return { slot: { ...slot, expireTime: timestampFromDate(expireAt) } };
    },

    async releaseSlot({ agentId, slotId }) {
      return { released: await availability.releaseSlot({ agentId, slotId, now: now() }) };
    },
  };
}

const OUTCOMES = { TAKEN: "taken", FULL: "full", NOT_AVAILABLE: "not_available" } as const;

function endOf(timeout: Duration | undefined, at: Date): Date {
  return new Date(at.getTime() + Number(decodeMs(timeout) ?? 0n));
}

function notAvailable(agentId: string): Rejection {
  const reason: Reason = "AGENT_NOT_AVAILABLE";
  return new Rejection(reason, `agent '${agentId}' takes no work now`, {
    metadata: { agent_id: agentId },
  });
}

function full(agentId: string): Rejection {
  const reason: Reason = "AGENT_FULL";
  return new Rejection(reason, `agent '${agentId}' has as much in flight as it takes`, {
    metadata: { agent_id: agentId },
  });
}

function slotNotFound({ agentId, slotId }: SlotKey): Rejection {
  const reason: Reason = "SLOT_NOT_FOUND";
  return new Rejection(reason, `slot '${slotId}' of agent '${agentId}' is not open`, {
    metadata: { agent_id: agentId, slot_id: slotId },
  });
}
