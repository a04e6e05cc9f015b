import type { OutboxMessage } from "@bourse/postgres";
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
import { NO_LOAD, type Presence, reportedAt } from "../availability.ts";
import { refuseErased } from "../erasure.ts";
import { lineageOf } from "../lineage.ts";
import type { RegistryUnit } from "../store.ts";
import type { Parts } from "./parts.ts";

/** An agent that has just been registered, and how it came. */
export interface Registered {
  readonly agent: Agent<Profile>;
  readonly arrival: Arrival;
}

/** The same, whatever is known of its profile. */
type Announced = Pick<Registered, "arrival"> & { readonly agent: Agent };

/** The field that names the agent, for one registration and for many. */
export function fieldOf(registrations: readonly Registration[]): (index: number) => string {
  return (index) => (registrations.length === 1 ? "agent_id" : `requests[${index}].agent_id`);
}

/** The agents as they would be registered. */
export function planned(
  registrations: readonly Registration[],
  known: ReadonlyMap<string, Agent>,
  at: Date,
): Registered[] {
  return registrations.map((registration) =>
    enteredBy(registration, known.get(registration.agentId), at),
  );
}

/** The agent as it would be registered. */
export function enteredBy(
  registration: Registration,
  before: Agent | undefined,
  at: Date,
): Registered {
  return { agent: register(before, registration, at), arrival: arrivalOf(before) };
}

/** Registers all, or none. @throws Rejection DUPLICATE_AGENT_ID, AGENT_ERASED, AGENT_ALREADY_REGISTERED */
export async function enter(
  parts: Pick<Parts, "newId">,
  unit: RegistryUnit,
  registrations: readonly Registration[],
  at: Date,
): Promise<readonly Registered[]> {
  const ids = registrations.map(({ agentId }) => agentId);
  refuseDuplicates(ids);
  const known = await unit.lockAgents(ids);
  // One that is registered was not erased.
  const absent = ids.filter((id) => known.get(id)?.unregisteredAt !== undefined || !known.has(id));
  if (absent.length > 0) {
    refuseErased(ids, await unit.readErased(absent), fieldOf(registrations));
  }
  refuseTaken(registrations, known);
  const registered = planned(registrations, known, at);
  await write(parts, unit, registered, at);
  return registered;
}

/** Writes agents that are locked, or were not there, and what the lineage is told of them. */
export async function write(
  { newId }: Pick<Parts, "newId">,
  unit: RegistryUnit,
  registered: readonly Registered[],
  at: Date,
): Promise<void> {
  const which = (is: (arrival: Arrival) => boolean) =>
    registered.flatMap(({ agent, arrival }) => (is(arrival) ? agent : []));
  await Promise.all([
    unit.insertAgents(
      which((arrival) => arrival === "new"),
      at,
    ),
    unit.replaceAgents(which((arrival) => arrival !== "new")),
    unit.rankAgents(
      which((arrival) => arrival === "returned"),
      at,
    ),
    unit.enqueueNew(eventsOf(registered, at, newId), at),
  ]);
}

/** What the lineage is told of agents that were registered at `at`. */
export function eventsOf(
  registered: readonly Registered[],
  at: Date,
  newId: () => string,
): OutboxMessage[] {
  return registered.map(({ agent, arrival }) =>
    lineageOf("agent_registered", agent, at, newId(), {
      arrival,
      capabilities: [...agent.profile.capabilities],
    }),
  );
}

/** Begins the leases and tells everybody, after the commit. */
export async function announce(parts: Parts, registered: readonly Announced[]): Promise<void> {
  const [first] = registered;
  if (first === undefined) return;
  // First, so that watchers who are woken do not find an agent whose lease has not begun.
  await beatFor(parts, registered);
  parts.committed();
  if (registered.length === 1) {
    parts.tell("agent_registered", { agent_id: first.agent.id, arrival: first.arrival });
  } else {
    const agents = registered.length;
    parts.tell("agents_registered", { agents, first_agent_id: first.agent.id });
  }
  for (const [arrival, some] of Map.groupBy(registered, (one) => one.arrival)) {
    parts.metrics.registered(arrival, some.length);
  }
}

async function beatFor(parts: Parts, registered: readonly Announced[]): Promise<void> {
  const beats = registered.flatMap(({ agent, arrival }) => {
    const { id: agentId, leaseMs, updatedAt: now } = agent;
    if (leaseMs === undefined && arrival === "new") return [];
    const leaseExpireAt = leaseMs === undefined ? undefined : new Date(now.getTime() + leaseMs);
    const isFresh = arrival !== "replaced";
    return [parts.availability.beat({ agentId, now, isFresh, leaseExpireAt })];
  });
  for (const beat of await Promise.allSettled(beats)) {
    // It is registered all the same: with a lease it is OFFLINE until its first heartbeat.
    if (beat.status === "rejected") parts.onFault(beat.reason, "a lease could not be begun");
  }
}

/** A lease begins with the registration; its load is forgotten unless the agent was there all the time. */
export function presenceAfter(
  { agent, arrival }: Registered,
  presences: ReadonlyMap<string, Presence>,
  at: Date,
): Presence | undefined {
  const before = arrival === "replaced" ? presences.get(agent.id) : undefined;
  if (agent.leaseMs === undefined && before === undefined) return undefined;
  const leaseExpireAt =
    agent.leaseMs === undefined ? undefined : new Date(at.getTime() + agent.leaseMs);
  const load = {
    reported: before === undefined ? NO_LOAD : reportedAt(before, at),
    openSlots: before?.openSlots ?? 0,
    slotsChangedAt: before?.slotsChangedAt,
  };
  return { ...load, heardAt: at, leaseExpireAt };
}
