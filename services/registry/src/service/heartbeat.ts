import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import { type Declaration, nextHeartbeatMs, type State } from "../availability.ts";
import { declarationOf, decodeMs, decodeState, encodeAvailability } from "../codec.ts";
import type { Parts } from "./parts.ts";

/** Heartbeat: the database is written only when what is declared changes. */
export function beating(parts: Parts): Pick<ServiceImpl<typeof RegistryService>, "heartbeat"> {
  const { store, availability, now } = parts;

  /** Writes down what is declared anew; what is not asked for stays as another heartbeat may have made it meanwhile. */
  async function declare(
    agentId: string,
    asked: Asked,
    at: Date,
    signal: AbortSignal,
  ): Promise<Declaration> {
    const { after, changed } = await store.write(
      async (unit) => {
        const before = (await unit.lockAgents([agentId])).get(agentId);
        if (before === undefined || before.unregisteredAt !== undefined) throw notFound(agentId);
        const declared = declaredAfter(before, asked);
        if (isDeclared(before, declared)) return { after: before, changed: false };
        const version = before.version + 1n;
        const next = { ...before, ...declared, declaredAt: at, updatedAt: at, version };
        await unit.updateAgent(next);
        return { after: next, changed: true };
      },
      { signal },
    );
    if (changed) {
      const { declaredState: state, leaseMs } = after;
      parts.committed();
      parts.tell("agent_declared", { agent_id: agentId, state, lease_ms: leaseMs });
    }
    return declarationOf(after);
  }

  return {
    async heartbeat(request, ctx) {
      const { agentId, inFlight } = request;
      const stored = await store.readDeclaration(agentId);
      if (stored === undefined || stored.unregisteredAt !== undefined) throw notFound(agentId);
      const lease = decodeMs(request.lease);
      const asked = {
        declaredState: decodeState(request.declaredState),
        leaseMs: lease === undefined ? undefined : Number(lease),
      };
      const declared = declaredAfter(stored, asked);
      const { leaseMs } = declared;
      const at = now();
      const leaseExpireAt = leaseMs === undefined ? undefined : new Date(at.getTime() + leaseMs);
      // First, so that a heartbeat that is refused has changed nothing.
      const presence = await availability.beat({ agentId, now: at, inFlight, leaseExpireAt });
      const declaration = isDeclared(stored, declared)
        ? stored
        : await declare(agentId, asked, at, ctx.signal);
      return {
        availability: encodeAvailability(declaration, presence, at),
        ...(leaseMs !== undefined && { nextHeartbeatIn: durationFromMs(nextHeartbeatMs(leaseMs)) }),
      };
    },
  };
}

type Declared = Pick<Declaration, "declaredState" | "leaseMs">;

/** What a heartbeat declares; undefined: as before. */
interface Asked {
  readonly declaredState: State | undefined;
  readonly leaseMs: number | undefined;
}

function declaredAfter(before: Declared, asked: Asked): Declared {
  return {
    declaredState: asked.declaredState ?? before.declaredState,
    leaseMs: asked.leaseMs ?? before.leaseMs,
  };
}

function isDeclared(before: Declared, declared: Declared): boolean {
  return before.declaredState === declared.declaredState && before.leaseMs === declared.leaseMs;
}
