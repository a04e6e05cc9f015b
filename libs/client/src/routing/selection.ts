import type {
  Candidate,
  WatchCandidatesResponse,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { type Address, addressOf } from "./address.ts";
import type { Target } from "./target.ts";

/** An agent that discovery names and that can be called. */
export interface NamedAgent extends Address {
  readonly agentId: string;
}

/** Why there is nobody to call: in words, with discovery's counts, and whether these are stale. */
export interface Nobody {
  readonly text: string;
  readonly counts: Readonly<Record<string, string>>;
}

/** Whom a channel may call. */
export interface Selection {
  /** Best first. */
  readonly agents: readonly NamedAgent[];
  /** One beside these that is to be tried, by one call at a time: its circuit breaker is half open. */
  readonly trial: NamedAgent | undefined;
  /** Undefined when there is somebody. */
  readonly nobody: Nobody | undefined;
  /** Fewer than wanted, so that it may be worth to ask for a longer list. */
  readonly isShort: boolean;
}

/** How a channel selects. */
export interface Selecting {
  readonly target: Target;
  /** Agents to do without as long as there are others. */
  readonly avoided: readonly string[];
  /** Whether the caller lets it be called. */
  readonly mayCall: (agent: NamedAgent) => boolean;
}

/**
 * Selects from a list of discovery: the first ones that can be called. Those that are avoided are selected only when
 * there is nobody else: they may have come back.
 */
export function selectFrom(list: WatchCandidatesResponse, selecting: Selecting): Selection {
  const { target, avoided, mayCall } = selecting;
  const named = (candidate: Candidate): NamedAgent[] => {
    const address = addressOf(candidate.endpoint, target.tls);
    const agent = address && { agentId: candidate.agentId, ...address };
    return agent !== undefined && mayCall(agent) ? [agent] : [];
  };
  const isWell = ({ agentId }: NamedAgent): boolean => !avoided.includes(agentId);
  const all = list.candidates.flatMap(named);
  const well = all.filter(isWell);
  const agents = (well.length > 0 ? well : all).slice(0, target.subset);
  const trial = (list.trial === undefined ? [] : named(list.trial)).find(isWell);
  const isNobody = agents.length === 0 && trial === undefined;
  return {
    agents,
    trial,
    nobody: isNobody ? nobodyOf(list, target) : undefined,
    isShort: well.length < target.subset,
  };
}

function nobodyOf({ candidates, counts, stale }: WatchCandidatesResponse, { tls }: Target): Nobody {
  const kept = Object.entries(counts).filter(([, count]) => count > 0n);
  const scheme = tls ? "grpcs" : "grpc";
  const passing = `of ${candidates.length} agents that pass, none has a ${scheme}:// endpoint to call`;
  return {
    text: candidates.length === 0 ? "no agent passes" : passing,
    counts: {
      ...Object.fromEntries(kept.map(([name, count]) => [name, String(count)])),
      ...(stale && { stale: "true" }),
    },
  };
}
