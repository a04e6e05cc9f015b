import {
  CandidatePartsSchema,
  CandidateSchema,
  type ExplainSelectionResponse,
  ExplainSelectionResponseSchema,
  type RecommendAgentsResponse,
  RecommendAgentsResponseSchema,
  type SearchAgentsResponse,
  SearchAgentsResponseSchema,
  type SelectAgentResponse,
  SelectAgentResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  AgentProfileSchema,
  AgentSchema,
  PricingSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { encoded } from "@bourse/rpc";
import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { partsOf } from "./codec.ts";
import type { Explained } from "./explanation.ts";
import type { Selected } from "./selection.ts";
import { bytesOf, field, messageIn, numberField, textOf, type Wire } from "./wire.ts";

/**
 * An answer to a search: `rest` is all of it but the agents, whose messages are put in as they are, and what explains
 * them.
 */
export function searched(
  agents: readonly Wire[],
  explanations: readonly Explained<Wire>[],
  rest: MessageInitShape<typeof SearchAgentsResponseSchema>,
): SearchAgentsResponse {
  const { agents: found, explanations: why } = SearchAgentsResponseSchema.field;
  const parts = all(found.number, agents) + all(why.number, explanations.map(candidatePartsOf));
  return answer(SearchAgentsResponseSchema, parts, rest);
}

/** An answer that explains a selection; `rest` is all of it but the candidates. */
export function explained(
  candidates: readonly Explained<Wire>[],
  rest: MessageInitShape<typeof ExplainSelectionResponseSchema>,
): ExplainSelectionResponse {
  const { number } = ExplainSelectionResponseSchema.field.candidates;
  const parts = all(number, candidates.map(candidatePartsOf));
  return answer(ExplainSelectionResponseSchema, parts, rest);
}

/** An answer that recommends agents. */
export function recommended(agents: readonly Wire[]): RecommendAgentsResponse {
  const { number } = RecommendAgentsResponseSchema.field.agents;
  return answer(RecommendAgentsResponseSchema, all(number, agents), {});
}

/** An answer that names the agents that were selected; `rest` is what else it says. */
export function selected(
  { chosen, alternates, reason, eligibleCount }: Selected<Wire>,
  rest: MessageInitShape<typeof SelectAgentResponseSchema>,
): SelectAgentResponse {
  const { agent, alternates: others } = SelectAgentResponseSchema.field;
  const parts =
    field(agent.number, candidateOf(chosen)) + all(others.number, alternates.map(candidateOf));
  return answer(SelectAgentResponseSchema, parts, {
    ...rest,
    reason,
    eligibleAgents: eligibleCount,
  });
}

const { agentId: AGENT_ID, profile: PROFILE } = AgentSchema.field;
const { endpoint: ENDPOINT, pricing: PRICING } = AgentProfileSchema.field;
const { costPerTask: COST } = PricingSchema.field;

/** What a caller needs to know of an agent, out of its message; endpoint and price are of the same type there. */
export function candidateOf(agent: Wire): Wire {
  const profile = messageIn(agent, PROFILE.number) ?? "";
  const endpoint = messageIn(profile, ENDPOINT.number);
  const cost = messageIn(messageIn(profile, PRICING.number) ?? "", COST.number);
  const named = CandidateSchema.field;
  let candidate = field(named.agentId.number, messageIn(agent, AGENT_ID.number) ?? "");
  if (endpoint !== undefined) candidate += field(named.endpoint.number, endpoint);
  if (cost !== undefined) candidate += field(named.costPerTask.number, cost);
  return candidate;
}

function candidatePartsOf(candidate: Explained<Wire>): Wire {
  const { agent } = CandidatePartsSchema.field;
  const rest = toBinary(CandidatePartsSchema, create(CandidatePartsSchema, partsOf(candidate)));
  return field(agent.number, candidateOf(candidate.agent)) + Buffer.from(rest).toString("latin1");
}

function all(number: number, messages: readonly Wire[]): Wire {
  let parts = "";
  for (const message of messages) parts += field(number, message);
  return parts;
}

/** Messages that stand one behind the other merge: so an answer can be put together of parts. */
function answer<O extends DescMessage>(
  schema: O,
  parts: Wire,
  rest: MessageInitShape<O>,
): MessageShape<O> {
  return encoded(schema, bytesOf(parts + restOf(schema, rest)));
}

/** Most of what else is said are a text and a number: writing these here costs a tenth of what any message costs. */
function restOf<O extends DescMessage>(schema: O, rest: MessageInitShape<O>): Wire {
  let parts = "";
  for (const [name, value] of Object.entries(rest)) {
    const number = schema.field[name]?.number ?? 0;
    if (typeof value === "string") parts += value === "" ? "" : field(number, textOf(value));
    else if (typeof value === "number" || typeof value === "bigint") {
      parts += value > 0 ? numberField(number, value) : "";
    } else if (value !== undefined) {
      return Buffer.from(toBinary(schema, create(schema, rest))).toString("latin1");
    }
  }
  return parts;
}
