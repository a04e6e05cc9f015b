import { Rejection } from "@bourse/rpc/rejection";
import { initialReputation, type Reputation } from "@bourse/scoring";
import type { State } from "./availability.ts";
import type { Reason } from "./reasons.ts";

/** What an agent says of itself, as it is read back: the registry decides nothing on most of it. */
export interface StoredProfile {
  readonly maxConcurrent: number;
  /** All of it, in the contract's binary form. */
  readonly encoded: Uint8Array;
}

/** What an agent says of itself, with what the store needs to find it by. */
export interface Profile extends StoredProfile {
  /** Normalised. */
  readonly capabilities: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** An agent as it is stored. */
export interface Agent<P extends StoredProfile = StoredProfile> {
  readonly id: string;
  readonly profile: P;
  readonly declaredState: State;
  /** When it last declared a state or was registered. */
  readonly declaredAt: Date;
  /** How often it wants to be heard of; undefined: it asked for no lease. */
  readonly leaseMs: number | undefined;
  readonly reputation: Reputation;
  /** Grows by one with every change. */
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly unregisteredAt: Date | undefined;
}

/** What it takes to register. */
export interface Registration {
  readonly agentId: string;
  readonly profile: Profile;
  readonly declaredState: State;
  readonly leaseMs: number | undefined;
  readonly replaceExisting: boolean;
}

/** How a registration came about. */
export type Arrival = "new" | "replaced" | "returned";

/** Tells whether the agent is new, replaces itself, or comes back after it was unregistered. */
export function arrivalOf(before: Agent | undefined): Arrival {
  if (before === undefined) return "new";
  return before.unregisteredAt === undefined ? "replaced" : "returned";
}

/** The agent after a registration: what it had before keeps its reputation and the time when it first came. */
export function register(
  before: Agent | undefined,
  registration: Registration,
  now: Date,
): Agent<Profile> {
  return {
    id: registration.agentId,
    profile: registration.profile,
    declaredState: registration.declaredState,
    declaredAt: now,
    leaseMs: registration.leaseMs,
    reputation: before?.reputation ?? initialReputation(),
    version: (before?.version ?? 0n) + 1n,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
    unregisteredAt: undefined,
  };
}

/**
 * Checks that none of the registrations is of an agent that is registered, unless it may be replaced.
 * @throws Rejection AGENT_ALREADY_REGISTERED, which names them all
 */
export function refuseTaken(
  registrations: readonly Registration[],
  known: ReadonlyMap<string, Agent>,
): void {
  const taken = registrations.flatMap(({ agentId, replaceExisting }, index) => {
    const before = known.get(agentId);
    const isTaken = before !== undefined && before.unregisteredAt === undefined;
    return isTaken && !replaceExisting ? [{ agentId, index }] : [];
  });
  if (taken.length === 0) return;
  const ids = taken.map(({ agentId }) => agentId);
  const whose = ids.length === 1 ? "its" : "their";
  throw refusal(
    "AGENT_ALREADY_REGISTERED",
    `${named(ids)} registered already; set replace_existing to replace ${whose} profile`,
    ids,
    registrations.length === 1
      ? []
      : taken.map(({ agentId, index }) => ({
          field: `requests[${index}].agent_id`,
          reason: "AGENT_ALREADY_REGISTERED",
          description: `agent_id '${agentId}' is registered already`,
        })),
  );
}

/**
 * Checks that no agent stands twice in a batch.
 * @throws Rejection DUPLICATE_AGENT_ID, which names them all
 */
export function refuseDuplicates(agentIds: readonly string[]): void {
  const seen = new Set<string>();
  const twice = agentIds.flatMap((agentId, index) => {
    if (!seen.has(agentId)) {
      seen.add(agentId);
      return [];
    }
    return [{ agentId, index }];
  });
  if (twice.length === 0) return;
  const ids = [...new Set(twice.map(({ agentId }) => agentId))];
  throw refusal(
    "DUPLICATE_AGENT_ID",
    `${named(ids)} more than once in the batch`,
    ids,
    twice.map(({ agentId, index }) => ({
      field: `requests[${index}].agent_id`,
      reason: "DUPLICATE_AGENT_ID",
      description: `agent_id '${agentId}' stands in the batch before`,
    })),
  );
}

/** The refusal of a call for an agent that is not there. */
export function notFound(agentId: string): Rejection {
  const reason: Reason = "AGENT_NOT_FOUND";
  return new Rejection(reason, `agent '${agentId}' is not registered`, {
    metadata: { agent_id: agentId },
  });
}

/** The etag of an agent. */
export function etagOf(agent: Pick<Agent, "version">): string {
  return agent.version.toString();
}

/**
 * Checks that the agent is still as the caller read it; an empty etag asks for no check.
 * @throws Rejection ETAG_MISMATCH
 */
export function checkEtag(agent: Agent, etag: string): void {
  const current = etagOf(agent);
  if (etag === "" || etag === current) return;
  const reason: Reason = "ETAG_MISMATCH";
  throw new Rejection(
    reason,
    `agent '${agent.id}' has changed since it was read: its etag is '${current}', not '${etag}'`,
    { metadata: { agent_id: agent.id, etag: current } },
  );
}

/** How many ids a message or its metadata lists before it only counts them. */
const NAMED_MAX = 20;

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, NAMED_MAX).map((id) => `'${id}'`);
  const rest = ids.length - shown.length;
  const more = rest === 0 ? "" : ` and ${rest} more`;
  return ids.length === 1 ? `agent_id ${shown[0]} is` : `agent_ids ${shown.join(", ")}${more} are`;
}

function refusal(
  reason: Reason,
  message: string,
  ids: readonly string[],
  faults: NonNullable<ConstructorParameters<typeof Rejection>[2]>["faults"] & object,
): Rejection {
  const metadata =
    ids.length === 1
      ? { agent_id: ids[0] ?? "" }
      : { agent_ids: ids.slice(0, NAMED_MAX).join(","), agents: String(ids.length) };
  return new Rejection(reason, message, { metadata, faults });
}
