import type { Fault } from "@bourse/rpc/rejection";
import { type Agent, type Arrival, arrivalOf, type Profile, register } from "./agent.ts";
import type { State } from "./availability.ts";
import { isSameProfile } from "./profile.ts";
import type { Reason } from "./reasons.ts";

/** What an import tells of an agent. */
export interface AgentRecord {
  readonly agentId: string;
  readonly profile: Profile;
  /** Undefined: as it is, ONLINE for one that is new. */
  readonly declaredState: State | undefined;
  /** Undefined: as it is, none for one that is new. */
  readonly leaseMs: number | undefined;
}

/** What becomes of an agent of an import. */
export type Ruling =
  | { readonly kind: "entered"; readonly agent: Agent<Profile>; readonly arrival: Arrival }
  | { readonly kind: "unchanged" }
  | Refused;

/** Why an agent is not registered. */
export interface Refused {
  readonly kind: "refused";
  readonly faults: readonly Fault[];
}

/** What to go by. */
export interface RulingBasis {
  readonly before: Agent | undefined;
  readonly isErased: boolean;
  readonly replaceExisting: boolean;
  readonly now: Date;
}

/**
 * Decides on one agent. One that is registered just so is left as it is, so that an import may be sent again; what a
 * record does not say of state and lease stays.
 */
export function rule(record: AgentRecord, basis: RulingBasis): Ruling {
  const { before, now } = basis;
  const { agentId, profile } = record;
  const isThere = before !== undefined && before.unregisteredAt === undefined;
  if (!isThere && basis.isErased) return refusal("AGENT_ERASED", `'${agentId}' was erased`);
  const declaredState = record.declaredState ?? (isThere ? before.declaredState : "ONLINE");
  const leaseMs = record.leaseMs ?? (isThere ? before.leaseMs : undefined);
  if (isThere) {
    const isSameRest = before.declaredState === declaredState && before.leaseMs === leaseMs;
    if (isSameRest && isSameProfile(before.profile, profile)) return { kind: "unchanged" };
    if (!basis.replaceExisting) {
      const description = `'${agentId}' is registered already, otherwise than told here`;
      return refusal("AGENT_ALREADY_REGISTERED", description);
    }
  }
  const registration = { agentId, profile, declaredState, leaseMs, replaceExisting: true };
  return {
    kind: "entered",
    agent: register(before, registration, now),
    arrival: arrivalOf(before),
  };
}

/** The ruling on an agent that stands twice in a message. */
export function duplicate(agentId: string): Refused {
  return refusal("DUPLICATE_AGENT_ID", `'${agentId}' stands in the message before`);
}

function refusal(reason: Reason, description: string): Refused {
  return { kind: "refused", faults: [{ field: "agent_id", reason, description }] };
}

/** How many agents of an import have come to what. */
export interface Tally {
  readonly agents: number;
  readonly new: number;
  readonly replaced: number;
  readonly returned: number;
  readonly unchanged: number;
  readonly refused: number;
}

/** Nothing yet. */
export const NO_TALLY: Tally = {
  agents: 0,
  new: 0,
  replaced: 0,
  returned: 0,
  unchanged: 0,
  refused: 0,
};

/** The tally with these. */
export function tallied(tally: Tally, rulings: readonly Ruling[]): Tally {
  const next = { ...tally };
  for (const ruling of rulings) {
    next.agents++;
    next[ruling.kind === "entered" ? ruling.arrival : ruling.kind]++;
  }
  return next;
}
