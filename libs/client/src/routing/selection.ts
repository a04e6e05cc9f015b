import type { SelectAgentResponse } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { ConnectError } from "@connectrpc/connect";
import type { Market } from "../connect.ts";
import { type Address, addressOf } from "./address.ts";
import { selectionStrategy, type Target } from "./target.ts";

/** An agent that discovery names and that can be called. */
export interface NamedAgent extends Address {
  readonly agentId: string;
}

/** Whom discovery names, best first; when there is nobody to call, why. */
export interface Selection {
  readonly agents: readonly NamedAgent[];
  readonly nobody?: ConnectError | string;
}

/** What is asked. */
export interface Question {
  readonly discovery: Market["discovery"];
  readonly target: Target;
  /** Agents to do without as long as there are others. */
  readonly avoided: readonly string[];
  /** Whether the caller lets it be called. */
  readonly mayCall: (agent: NamedAgent) => boolean;
  readonly signal: AbortSignal;
}

const ALTERNATES_MAX = 10;
const LEFT_OUT_MAX = 100;
/** More calls than this are not made to pass over agents that may not be called. */
const ROUNDS = 4;
/** Calls may be waiting, and there is a last answer to go on with. */
const TIMEOUT_MS = 1_000;

/**
 * Asks discovery for the agents of a target. Those that are avoided are named only when there is
 * nobody else: they may have come back.
 * @throws ConnectError when discovery does not answer
 */
export async function selectAgents(question: Question): Promise<Selection> {
  const others = await gather(question, question.avoided);
  if (others.agents.length > 0 || question.avoided.length === 0) return others;
  return gather(question, []);
}

async function gather(question: Question, avoided: readonly string[]): Promise<Selection> {
  const { target } = question;
  const agents: NamedAgent[] = [];
  const named = new Set<string>();
  let nobody: ConnectError | undefined;
  for (let round = 0; round < ROUNDS && agents.length < target.subset; round += 1) {
    const alternates = round === 0 ? target.subset - 1 : ALTERNATES_MAX;
    const answer = await ask(question, alternates, [...avoided, ...named]);
    if (answer instanceof ConnectError) {
      if (round === 0) nobody = answer;
      break;
    }
    const candidates = [answer.agent, ...answer.alternates].filter((one) => one !== undefined);
    for (const { agentId, endpoint } of candidates) {
      named.add(agentId);
      const address = addressOf(endpoint, target.tls);
      const agent = address && { agentId, ...address };
      if (agent !== undefined && question.mayCall(agent)) agents.push(agent);
    }
    if (candidates.length <= alternates) break;
  }
  if (agents.length > 0) return { agents: agents.slice(0, target.subset) };
  const scheme = target.tls ? "grpcs" : "grpc";
  const passing = `of ${named.size} agents that pass, none has a ${scheme}:// endpoint to call`;
  return { agents: [], nobody: nobody ?? passing };
}

/** One answer, or the refusal that says that nobody passes. */
async function ask(
  { discovery, target, signal }: Question,
  alternates: number,
  excludeAgentIds: string[],
): Promise<SelectAgentResponse | ConnectError> {
  try {
    const { filter } = target;
    const strategy = selectionStrategy(target.strategy);
    const leftOut = excludeAgentIds.slice(0, LEFT_OUT_MAX);
    return await discovery.selectAgent(
      { filter, strategy, alternates, excludeAgentIds: leftOut },
      { signal, timeoutMs: TIMEOUT_MS },
    );
  } catch (error) {
    if (error instanceof ConnectError && reasonOf(error) === "NO_ELIGIBLE_AGENTS") return error;
    throw error;
  }
}
