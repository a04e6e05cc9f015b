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
  WatchCandidatesResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  AgentProfileSchema,
  AgentSchema,
  PricingSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { tagOf, WireReader } from "@bourse/roster/wire";
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
import { bytesOf, field, numberField, textOf, type Wire } from "./wire.ts";

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
export function recommended(
  agents: readonly Wire[],
  rest: MessageInitShape<typeof RecommendAgentsResponseSchema>,
): RecommendAgentsResponse {
  const { number } = RecommendAgentsResponseSchema.field.agents;
  return answer(RecommendAgentsResponseSchema, all(number, agents), rest);
}

/** An answer that names the agents that were selected; `rest` is what else it says. */
export function selected(
  { chosen, alternates, reason, eligibleCount, isEstimate }: Selected<Wire>,
  rest: MessageInitShape<typeof SelectAgentResponseSchema>,
): SelectAgentResponse {
  const {
    agent,
    alternates: others,
    reason: why,
    eligibleAgents,
    eligibleIsEstimate,
  } = SelectAgentResponseSchema.field;
  const parts =
    field(agent.number, candidateOf(chosen)) +
    all(others.number, alternates.map(candidateOf)) +
    field(why.number, textOf(reason)) +
    numberField(eligibleAgents.number, eligibleCount) +
    (isEstimate ? numberField(eligibleIsEstimate.number, 1) : "");
  return answer(SelectAgentResponseSchema, parts, rest);
}

/** A list that is followed: `rest` is all of it but the agents. */
export function listed(
  agents: readonly Wire[],
  rest: MessageInitShape<typeof WatchCandidatesResponseSchema>,
): Wire {
  const { number } = WatchCandidatesResponseSchema.field.candidates;
  return all(number, agents.map(candidateOf)) + restOf(WatchCandidatesResponseSchema, rest);
}

/** What stands behind a list of one caller: the agent that it is to try. */
export function trialListed(agent: Wire): Wire {
  return field(WatchCandidatesResponseSchema.field.trial.number, candidateOf(agent));
}

const AGENT_ID = tagOf(AgentSchema.field.agentId.number, "bytes");
const PROFILE = tagOf(AgentSchema.field.profile.number, "bytes");
const ENDPOINT = tagOf(AgentProfileSchema.field.endpoint.number, "bytes");
const PRICING = tagOf(AgentProfileSchema.field.pricing.number, "bytes");
const COST = tagOf(PricingSchema.field.costPerTask.number, "bytes");

/** Fields of a candidate, as they stand in an agent's message; undefined when they are not there. */
interface Found {
  agentId: Wire;
  endpoint: Wire | undefined;
  cost: Wire | undefined;
}

/**
 * What a caller needs to know of an agent, out of its message; endpoint and price are of the same type there. Of what
 * comes more than once the parts are put together, which is how they merge.
 */
export function candidateOf(agent: Wire): Wire {
  const found: Found = { agentId: "", endpoint: undefined, cost: undefined };
  const reader = new WireReader(agent);
  while (reader.at < agent.length) {
    const tag = reader.tag();
    if (tag === AGENT_ID) found.agentId = reader.bytes();
    else if (tag === PROFILE) findInProfile(reader, found);
    else reader.skip(tag);
  }
  const named = CandidateSchema.field;
  let candidate = field(named.agentId.number, found.agentId);
  if (found.endpoint !== undefined) candidate += field(named.endpoint.number, found.endpoint);
  if (found.cost !== undefined) candidate += field(named.costPerTask.number, found.cost);
  return candidate;
}

function findInProfile(reader: WireReader, found: Found): void {
  const end = reader.end();
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === ENDPOINT) found.endpoint = (found.endpoint ?? "") + reader.bytes();
    else if (tag === PRICING) findInPricing(reader, found);
    else reader.skip(tag);
  }
}

function findInPricing(reader: WireReader, found: Found): void {
  const end = reader.end();
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === COST) found.cost = (found.cost ?? "") + reader.bytes();
    else reader.skip(tag);
  }
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

/** Most of what else is said are texts, numbers and flags: to write these here costs a tenth of any message. */
function restOf<O extends DescMessage>(schema: O, rest: MessageInitShape<O>): Wire {
  let parts = "";
  for (const [name, value] of Object.entries(rest)) {
    const number = schema.field[name]?.number ?? 0;
    if (typeof value === "string") parts += value === "" ? "" : field(number, textOf(value));
    else if (typeof value === "number" || typeof value === "bigint") {
      parts += value > 0 ? numberField(number, value) : "";
    } else if (typeof value === "boolean") {
      parts += value ? numberField(number, 1) : "";
    } else if (value !== undefined) {
      return Buffer.from(toBinary(schema, create(schema, rest))).toString("latin1");
    }
  }
  return parts;
}
