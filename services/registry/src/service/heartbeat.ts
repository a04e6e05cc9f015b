import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { type Declaration, nextHeartbeatMs } from "../availability.ts";
import { declarationOf, decodeMs, decodeState, encodeAvailability } from "../codec.ts";
import type { Parts } from "./parts.ts";

/** Heartbeat: the database is written only when what is declared changes. */
export function beating(parts: Parts): Pick<ServiceImpl<typeof RegistryService>, "heartbeat"> {
  const { store, availability, now } = parts;

  /** Writes a new declaration down, if it still is one when the agent is locked. */
  async function declare(
    agentId: string,
    declared: Pick<Declaration, "declaredState" | "leaseMs">,
    at: Date,
    signal: AbortSignal,
  ): Promise<Declaration> {
    const { declaredState, leaseMs } = declared;
    const { after, changed } = await store.write(
      async (unit) => {
        const before = (await unit.lockAgents([agentId])).get(agentId);
        if (before === undefined || before.unregisteredAt !== undefined) throw notFound(agentId);
        if (before.declaredState === declaredState && before.leaseMs === leaseMs) {
          return { after: before, changed: false };
        }
        const version = before.version + 1n;
        const next = { ...before, ...declared, declaredAt: at, updatedAt: at, version };
        await unit.updateAgent(next);
        return { after: next, changed: true };
      },
      { signal },
    );
    if (changed) {
      parts.committed();
      parts.tell("agent_declared", { agent_id: agentId, state: declaredState, lease_ms: leaseMs });
    }
    return declarationOf(after);
  }

  return {
    async heartbeat(request, ctx) {
      const { agentId, inFlight } = request;
      const stored = await store.readDeclaration(agentId);
      if (stored === undefined || stored.unregisteredAt !== undefined) throw notFound(agentId);
      const asked = decodeMs(request.lease);
      const leaseMs = asked === undefined ? stored.leaseMs : Number(asked);
      const declaredState = decodeState(request.declaredState) ?? stored.declaredState;
      const at = now();
      const leaseExpireAt = leaseMs === undefined ? undefined : new Date(at.getTime() + leaseMs);
      // First, so that a heartbeat that is refused has changed nothing.
      const presence = await availability.beat({ agentId, now: at, inFlight, leaseExpireAt });
      const isSame = declaredState === stored.declaredState && leaseMs === stored.leaseMs;
      const declaration = isSame
        ? stored
        : await declare(agentId, { declaredState, leaseMs }, at, ctx.signal);
      return {
        availability: encodeAvailability(declaration, presence, at),
        ...(leaseMs !== undefined && { nextHeartbeatIn: durationFromMs(nextHeartbeatMs(leaseMs)) }),
      };
    },
  };
}
