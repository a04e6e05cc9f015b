import type {
  HeartbeatRequest,
  KeepAliveRequest,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { type Cancellation, cancellationOf } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { notFound } from "../agent.ts";
import {
  type Declaration,
  NO_LOAD,
  nextHeartbeatMs,
  type Presence,
  type State,
} from "../availability.ts";
import { declarationOf, decodeLoad, decodeMs, decodeState, encodeAvailability } from "../codec.ts";
import type { Reason } from "../reasons.ts";
import type { Parts } from "./parts.ts";

type Beating = Pick<ServiceImpl<typeof RegistryService>, "heartbeat" | "keepAlive">;

/** Heartbeat and KeepAlive: the database is written only when what is declared changes. */
export function beating(parts: Parts): Beating {
  const { store, mutations, availability, now } = parts;

  /** What an agent declared; `last` when the database is away. */
  async function declarationFor(agentId: string, last?: Declaration): Promise<Declaration> {
    const stored = await store.readDeclaration(agentId).catch((error: unknown) => {
      if (last === undefined) throw error;
      parts.onFault(error, "a stream of heartbeats goes on with what its agent last declared");
      return last;
    });
    if (stored === undefined || stored.unregisteredAt !== undefined) throw notFound(agentId);
    return stored;
  }

  /** Writes down what is declared anew; what is not asked for stays as another heartbeat may have made it meanwhile. */
  async function declare(
    agentId: string,
    asked: Asked,
    signal: Cancellation,
  ): Promise<Declaration> {
    const { before, after } = await mutations.submit(
      {
        agentId,
        request: undefined,
        decide({ agent, at }) {
          if (agent === undefined || agent.unregisteredAt !== undefined) throw notFound(agentId);
          const declared = declaredAfter(agent, asked);
          if (isDeclared(agent, declared)) return { answer: NOTHING };
          const version = agent.version + 1n;
          const after = { ...agent, ...declared, declaredAt: at, updatedAt: at, version };
          return { answer: NOTHING, after };
        },
      },
      { signal },
    );
    if (after !== undefined) {
      const { declaredState: state, leaseMs } = after;
      parts.committed();
      parts.tell("agent_declared", { agent_id: agentId, state, lease_ms: leaseMs });
    }
    const declared = after ?? before;
    if (declared === undefined) throw notFound(agentId);
    return declarationOf(declared);
  }

  async function beat(
    request: HeartbeatRequest | KeepAliveRequest,
    stored: Declaration,
    signal: Cancellation,
  ): Promise<Answer> {
    const { agentId } = request;
    const lease = decodeMs(request.lease);
    const asked = {
      declaredState: decodeState(request.declaredState),
      leaseMs: lease === undefined ? undefined : Number(lease),
    };
    const declared = declaredAfter(stored, asked);
    const { leaseMs } = declared;
    const at = now();
    const leaseExpireAt = leaseMs === undefined ? undefined : new Date(at.getTime() + leaseMs);
    const reported = decodeLoad(request);
    // First, so that a heartbeat that is refused has changed nothing.
    const presence = await availability.beat({ agentId, now: at, reported, leaseExpireAt });
    const declaration = isDeclared(stored, declared)
      ? stored
      : await declare(agentId, asked, signal);
    return { declaration, presence, at };
  }

  /** What is answered on a stream while the store of leases is away: what is known. */
  async function unwritten(agentId: string, declaration: Declaration): Promise<Answer> {
    const presence = (await availability.read([agentId])).get(agentId);
    const known = presence ?? { reported: NO_LOAD, openSlots: 0, ...NEVER_HEARD };
    const at = now();
    return { declaration, presence: { staleSince: at, ...known }, at };
  }

  return {
    async heartbeat(request, ctx) {
      const stored = await declarationFor(request.agentId);
      const answer = await beat(request, stored, cancellationOf(ctx));
      const nextMs = nextMsOf(answer);
      return {
        availability: encodeAvailability(answer.declaration, answer.presence, answer.at),
        ...(nextMs !== undefined && { nextHeartbeatIn: durationFromMs(nextMs) }),
      };
    },

    async *keepAlive(requests, ctx) {
      let agentId: string | undefined;
      let last: Declaration | undefined;
      for await (const request of requests) {
        agentId ??= request.agentId;
        if (request.agentId !== agentId) throw agentChanged(agentId, request.agentId);
        const stored = await declarationFor(agentId, last);
        const answer = await beat(request, stored, cancellationOf(ctx)).catch((error: unknown) => {
          if (!isAway(error)) throw error;
          return unwritten(request.agentId, stored);
        });
        last = answer.declaration;
        const nextMs = nextMsOf(answer);
        yield {
          availability: encodeAvailability(answer.declaration, answer.presence, answer.at),
          ...(nextMs !== undefined && { nextMessageIn: durationFromMs(nextMs) }),
        };
      }
    },
  };
}

/** A declaration has no answer of its own. */
const NOTHING = new Uint8Array();

/** What became of a sign of life. */
interface Answer {
  readonly declaration: Declaration;
  readonly presence: Presence;
  readonly at: Date;
}

const NEVER_HEARD = { slotsChangedAt: undefined, heardAt: undefined, leaseExpireAt: undefined };
/** What was not written down is to come again within this time; not at once, since a million agents wait. */
const AGAIN_MS_MAX = 5_000;

function nextMsOf({ declaration: { leaseMs }, presence }: Answer): number | undefined {
  const dueMs = leaseMs === undefined ? undefined : nextHeartbeatMs(leaseMs);
  return presence.staleSince !== undefined ? Math.min(dueMs ?? AGAIN_MS_MAX, AGAIN_MS_MAX) : dueMs;
}

function isAway(error: unknown): boolean {
  const reason: Reason = "AVAILABILITY_UNAVAILABLE";
  return error instanceof Rejection && error.reason === reason;
}

function agentChanged(agentId: string, other: string): Rejection {
  const reason: Reason = "AGENT_CHANGED";
  return new Rejection(reason, `the stream is of agent '${agentId}', not of '${other}'`, {
    metadata: { agent_id: agentId },
    faults: [{ field: "agent_id", reason, description: "must be the same in every message" }],
  });
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
