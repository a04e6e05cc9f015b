import type { Agent as AgentMessage } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  BatchRegisterAgentsRequestSchema,
  BatchRegisterAgentsResponseSchema,
  type RegisterAgentRequest,
  RegisterAgentRequestSchema,
  RegisterAgentResponseSchema,
  type RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { answerOnce } from "@bourse/service/mutation";
import { refusePersonalData } from "@bourse/service/personal-data";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type Agent,
  type Arrival,
  arrivalOf,
  type Profile,
  type Registration,
  refuseDuplicates,
  refuseTaken,
  register,
} from "../agent.ts";
import type { Presence } from "../availability.ts";
import { decodeRegistration, encodeAgent } from "../codec.ts";
import { refuseErased } from "../erasure.ts";
import { lineageOf } from "../lineage.ts";
import type { RegistryUnit } from "../store.ts";
import type { Parts } from "./parts.ts";

type Registering = Pick<
  ServiceImpl<typeof RegistryService>,
  "registerAgent" | "batchRegisterAgents"
>;

/** An agent that has just been registered, and how it came. */
interface Registered {
  readonly agent: Agent<Profile>;
  readonly arrival: Arrival;
}

/** RegisterAgent and BatchRegisterAgents: the same rules for one and for many. */
export function registering(parts: Parts): Registering {
  const { store, availability, now, newId } = parts;

  async function answer(
    registered: readonly Registered[],
    presences: ReadonlyMap<string, Presence>,
    at: Date,
  ): Promise<AgentMessage[]> {
    return registered.map((one) => encodeAgent(one.agent, presenceAfter(one, presences, at), at));
  }

  async function dryRun(requests: readonly RegisterAgentRequest[]): Promise<AgentMessage[]> {
    const registrations = requests.map(decodeRegistration);
    const ids = registrations.map(({ agentId }) => agentId);
    refuseDuplicates(ids);
    const known = await store.readAgents(ids);
    refuseErased(ids, await store.readErased(ids), fieldOf(registrations));
    refuseTaken(registrations, known);
    const at = now();
    return answer(planned(registrations, known, at), await availability.read(ids), at);
  }

  async function enter(
    unit: RegistryUnit,
    requests: readonly RegisterAgentRequest[],
    presences: ReadonlyMap<string, Presence>,
    at: Date,
  ): Promise<{ registered: readonly Registered[]; messages: AgentMessage[] }> {
    const registrations = requests.map(decodeRegistration);
    refuseDuplicates(registrations.map(({ agentId }) => agentId));
    const registered = await write(unit, registrations, at);
    const events = registered.map(({ agent, arrival }) =>
      lineageOf("agent_registered", agent, at, newId(), {
        arrival,
        capabilities: [...agent.profile.capabilities],
      }),
    );
    await unit.enqueue(events, at);
    return { registered, messages: await answer(registered, presences, at) };
  }

  async function announce(registered: readonly Registered[]): Promise<void> {
    if (registered.length === 0) return;
    // First, so that watchers who are woken do not find an agent whose lease has not begun.
    await beatFor(parts, registered);
    parts.committed();
    const [first] = registered;
    if (first !== undefined && registered.length === 1) {
      parts.tell("agent_registered", { agent_id: first.agent.id, arrival: first.arrival });
    } else if (first !== undefined) {
      const agents = registered.length;
      parts.tell("agents_registered", { agents, first_agent_id: first.agent.id });
    }
    for (const [arrival, some] of Map.groupBy(registered, (one) => one.arrival)) {
      parts.metrics.registered(arrival, some.length);
    }
  }

  return {
    async registerAgent(request, ctx) {
      refusePersonalData({ "profile.capabilities": request.profile?.capabilities });
      if (request.validateOnly) return { agent: (await dryRun([request]))[0] };
      const presences = await availability.read([request.agentId]);
      const schemas = { input: RegisterAgentRequestSchema, output: RegisterAgentResponseSchema };
      let done: readonly Registered[] = [];
      const response = await store.write(
        (unit) =>
          answerOnce(unit.tx, ctx, schemas, request, async () => {
            const { registered, messages } = await enter(unit, [request], presences, now());
            done = registered;
            return { agent: messages[0] };
          }),
        ctx,
      );
      await announce(done);
      return response;
    },

    async batchRegisterAgents(request, ctx) {
      const { requests } = request;
      refusePersonalData(
        Object.fromEntries(
          requests.map(({ profile }, nth) => [
            `requests[${nth}].profile.capabilities`,
            profile?.capabilities,
          ]),
        ),
      );
      if (request.validateOnly) return { agents: await dryRun(requests) };
      const presences = await availability.read(requests.map(({ agentId }) => agentId));
      const schemas = {
        input: BatchRegisterAgentsRequestSchema,
        output: BatchRegisterAgentsResponseSchema,
      };
      let done: readonly Registered[] = [];
      const response = await store.write(
        (unit) =>
          answerOnce(unit.tx, ctx, schemas, request, async () => {
            const { registered, messages } = await enter(unit, requests, presences, now());
            done = registered;
            return { agents: messages };
          }),
        ctx,
      );
      await announce(done);
      return response;
    },
  };
}

function fieldOf(registrations: readonly Registration[]): (index: number) => string {
  return (index) => (registrations.length === 1 ? "agent_id" : `requests[${index}].agent_id`);
}

function planned(
  registrations: readonly Registration[],
  known: ReadonlyMap<string, Agent>,
  at: Date,
): Registered[] {
  return registrations.map((registration) => {
    const before = known.get(registration.agentId);
    return { agent: register(before, registration, at), arrival: arrivalOf(before) };
  });
}

/** Writes the agents; one that another transaction inserts meanwhile is looked at again, as one that was there. */
async function write(
  unit: RegistryUnit,
  registrations: readonly Registration[],
  at: Date,
): Promise<readonly Registered[]> {
  const ids = registrations.map(({ agentId }) => agentId);
  const known = new Map(await unit.lockAgents(ids));
  // One that is registered was not erased.
  const absent = ids.filter((id) => known.get(id)?.unregisteredAt !== undefined || !known.has(id));
  if (absent.length > 0) {
    refuseErased(ids, await unit.readErased(absent), fieldOf(registrations));
  }
  refuseTaken(registrations, known);
  const fresh = planned(registrations, known, at).filter(({ arrival }) => arrival === "new");
  const inserted =
    fresh.length === 0
      ? new Set<string>()
      : await unit.insertAgents(fresh.map(({ agent }) => agent));
  const outrun = fresh.map(({ agent }) => agent.id).filter((id) => !inserted.has(id));
  if (outrun.length > 0) {
    for (const [id, agent] of await unit.lockAgents(outrun)) known.set(id, agent);
    refuseTaken(registrations, known);
  }
  const registered = planned(registrations, known, at);
  const replaced = registered.filter(({ arrival }) => arrival !== "new");
  if (replaced.length > 0) await unit.replaceAgents(replaced.map(({ agent }) => agent));
  return registered;
}

/** A lease begins with the registration; tasks under way are forgotten unless the agent was there all the time. */
function presenceAfter(
  { agent, arrival }: Registered,
  presences: ReadonlyMap<string, Presence>,
  at: Date,
): Presence | undefined {
  const before = arrival === "replaced" ? presences.get(agent.id) : undefined;
  if (agent.leaseMs === undefined && before === undefined) return undefined;
  const leaseExpireAt =
    agent.leaseMs === undefined ? undefined : new Date(at.getTime() + agent.leaseMs);
  return { inFlight: before?.inFlight ?? 0, heardAt: at, leaseExpireAt };
}

async function beatFor(parts: Parts, registered: readonly Registered[]): Promise<void> {
  const beats = registered.flatMap(({ agent, arrival }) => {
    const { id: agentId, leaseMs, updatedAt: now } = agent;
    if (leaseMs === undefined && arrival === "new") return [];
    const leaseExpireAt = leaseMs === undefined ? undefined : new Date(now.getTime() + leaseMs);
    const inFlight = arrival === "replaced" ? undefined : 0;
    return [parts.availability.beat({ agentId, now, inFlight, leaseExpireAt })];
  });
  for (const beat of await Promise.allSettled(beats)) {
    // It is registered all the same: with a lease it is OFFLINE until its first heartbeat.
    if (beat.status === "rejected") parts.onFault(beat.reason, "a lease could not be begun");
  }
}
