import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { formatPrincipal, principalKey } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { type Duration, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import type { SlotKey } from "../availability-store.ts";
import { decodeMs } from "../codec.ts";
import type { Reason } from "../reasons.ts";
import { type Share, shareOf } from "../share.ts";
import type { Parts } from "./parts.ts";

type Holding = Pick<
  ServiceImpl<typeof RegistryService>,
  "acquireSlot" | "renewSlot" | "releaseSlot"
>;

/** AcquireSlot, RenewSlot, ReleaseSlot. */
export function holding({ store, availability, metrics, now }: Parts): Holding {
  return {
    async acquireSlot({ agentId, slotId, timeout, holder }, ctx) {
      const asHolder = holderOf(holder, ctx);
      const stored = await store.readDeclaration(agentId);
      if (stored === undefined || stored.unregisteredAt !== undefined) throw notFound(agentId);
      const { declaredState, leaseMs, maxConcurrent } = stored;
      const at = now();
      const share = shareOf(asHolder, { agentId, maxConcurrent });
      const answer = await availability.acquireSlot({
        agentId,
        slotId,
        now: at,
        expireAt: endOf(timeout, at),
        maxConcurrent,
        takesWork: declaredState === "ONLINE",
        isLeased: leaseMs !== undefined,
        share,
      });
      metrics.slotAsked(OUTCOMES[typeof answer === "object" ? "TAKEN" : answer]);
      if (answer === "NOT_AVAILABLE") throw notAvailable(agentId);
      if (answer === "FULL") throw full(agentId);
      if (answer === "SHARE_TAKEN") throw tooMany(agentId, share);
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

const OUTCOMES = {
  TAKEN: "taken",
  FULL: "full",
  SHARE_TAKEN: "share_taken",
  NOT_AVAILABLE: "not_available",
} as const;

/**
 * Whose place is asked for: the caller's, or whom an operator or a service names, such as Discovery its caller.
 * @throws Rejection PERMISSION_DENIED
 */
function holderOf(named: string, ctx: HandlerContext): string {
  const principal = ctx.values.get(principalKey);
  const caller = formatPrincipal(principal);
  if (named === "" || named === caller) return caller;
  if (principal.kind === "operator" || principal.kind === "service") return named;
  throw new Rejection(
    "PERMISSION_DENIED",
    `${caller} may take places for itself only, not for ${named}`,
    { metadata: { principal: caller, field: "holder" } },
  );
}

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

function tooMany(agentId: string, share: Share | undefined): Rejection {
  const { holder = "", most = 0 } = share ?? {};
  const reason: Reason = "TOO_MANY_SLOTS";
  return new Rejection(reason, `${holder} holds its ${most} places at agent '${agentId}'`, {
    metadata: { agent_id: agentId, holder, limit: String(most) },
  });
}

function slotNotFound({ agentId, slotId }: SlotKey): Rejection {
  const reason: Reason = "SLOT_NOT_FOUND";
  return new Rejection(reason, `slot '${slotId}' of agent '${agentId}' is not open`, {
    metadata: { agent_id: agentId, slot_id: slotId },
  });
}
