import {
  DiscoveryService,
  type SearchAgentsRequest,
  SearchAgentsRequestSchema,
  type SearchAgentsResponse,
  SearchAgentsResponseSchema,
  type SelectAgentRequest,
  SelectAgentRequestSchema,
  type SelectAgentResponse,
  SelectAgentResponseSchema,
  SelectionStrategy,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { client } from "@bourse/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { BenchFailure } from "../failure.ts";
import { agentOf, numberOf } from "./population.ts";
import { type Census, filterOf, isAble, PICKED, SEARCHED, type Wanted } from "./wanted.ts";

/** Calls discovery as any client does. */
export type Caller = ReturnType<typeof client<typeof DiscoveryService>>;

/** What is measured of discovery: a method, asked in several ways. */
export interface Target {
  /** Such as `SelectAgent RANDOM`. */
  readonly subject: string;
  readonly method: "SelectAgent" | "SearchAgents";
  /** The requests: a few, each over and over, or with `isVaried` very many, one after the other. */
  readonly messages: readonly Uint8Array[];
  readonly isVaried?: boolean;
  /** How discovery counts what is right; ok when absent. */
  readonly code?: string;
  /**
   * Asks each request once and looks at the answers; answers with the mean of their bytes.
   * @throws BenchFailure when one is wrong
   */
  check(caller: Caller, census: Census): Promise<number>;
}

/** Agents of a search. */
const PAGE = 20;

/** Picks by each strategy that the contract knows. */
export function picks(): readonly Target[] {
  return Object.entries(SelectionStrategy)
    .filter(([, strategy]) => strategy !== SelectionStrategy.UNSPECIFIED)
    .map(([name, strategy]) => {
      const asked = PICKED.map((wanted) => ({ wanted, request: pickOf(wanted, strategy) }));
      return pickTarget(`SelectAgent ${name}`, asked);
    });
}

/** The cheapest 20 of any of two capabilities below a price. */
export function searches(): Target {
  const asked = SEARCHED.map((wanted) => ({ wanted, request: searchOf(wanted) }));
  return searchTarget("SearchAgents", asked);
}

/** A request, and what is wanted by it. */
export interface Asked<T> {
  readonly wanted: Wanted;
  readonly request: T;
}

/** Asks for one agent. */
export function pickOf(wanted: Wanted, strategy: SelectionStrategy): SelectAgentRequest {
  return create(SelectAgentRequestSchema, { filter: filterOf(wanted), strategy });
}

/** Asks for a page. */
export function searchOf(wanted: Wanted): SearchAgentsRequest {
  return create(SearchAgentsRequestSchema, { filter: filterOf(wanted), pageSize: PAGE });
}

/** Picks, of which the answers to the first `checked` are looked at. */
export function pickTarget(
  subject: string,
  asked: readonly Asked<SelectAgentRequest>[],
  checked = asked.length,
): Target {
  return {
    subject,
    method: "SelectAgent",
    messages: asked.map(({ request }) => toBinary(SelectAgentRequestSchema, request)),
    async check(caller, census) {
      const bytes = asked.slice(0, checked).map(async ({ wanted, request }) => {
        const answer = await caller.selectAgent(request);
        refuse(subject, pickFault(answer, wanted, census));
        return toBinary(SelectAgentResponseSchema, answer).length;
      });
      return meanOf(await Promise.all(bytes));
    },
  };
}

/** Searches, of which the answers to the first `checked` are looked at. */
export function searchTarget(
  subject: string,
  asked: readonly Asked<SearchAgentsRequest>[],
  checked = asked.length,
): Target {
  return {
    subject,
    method: "SearchAgents",
    messages: asked.map(({ request }) => toBinary(SearchAgentsRequestSchema, request)),
    async check(caller, census) {
      const bytes = asked.slice(0, checked).map(async ({ wanted, request }) => {
        const answer = await caller.searchAgents(request);
        refuse(subject, pageFault(answer, wanted, census));
        return toBinary(SearchAgentsResponseSchema, answer).length;
      });
      return meanOf(await Promise.all(bytes));
    },
  };
}

/** The path of a method. */
export function pathOf(method: Target["method"]): string {
  return `/${DiscoveryService.typeName}/${method}`;
}

/** What is wrong with a pick; undefined when nothing is. Prices change meanwhile, all else stays. */
function pickFault(
  { agent, eligibleAgents }: SelectAgentResponse,
  wanted: Wanted,
  census: Census,
): string | undefined {
  const able = census.able(wanted);
  if (wanted.ceilingMicros === undefined ? eligibleAgents !== able : eligibleAgents > able) {
    return `${eligibleAgents} eligible agents, and not the ${able} that can do it`;
  }
  return agentFault(agent?.agentId, agent?.costPerTask?.micros, wanted);
}

/** What is wrong with a page; undefined when nothing is. */
function pageFault(
  { agents, totalSize }: SearchAgentsResponse,
  wanted: Wanted,
  census: Census,
): string | undefined {
  const able = census.able(wanted);
  if (totalSize > able) return `${totalSize} agents pass, of ${able} that can do it`;
  const expected = Math.min(PAGE, Number(totalSize));
  if (agents.length !== expected) return `${agents.length} agents on a page of ${expected}`;
  const prices = agents.map(({ profile }) => profile?.pricing?.costPerTask?.micros ?? 0n);
  if (prices.some((price, nth) => price < (prices[nth - 1] ?? 0n))) return "not in order of cost";
  return agents
    .map(({ agentId }, nth) => agentFault(agentId, prices[nth], wanted))
    .find((fault) => fault !== undefined);
}

function agentFault(
  id: string | undefined,
  priceMicros: bigint | undefined,
  wanted: Wanted,
): string | undefined {
  const nth = numberOf(id ?? "");
  if (nth === undefined) return `named ${id}, whom nobody registered`;
  if (!isAble(agentOf(nth), wanted)) return `named ${id}, who cannot do it`;
  const { ceilingMicros } = wanted;
  if (ceilingMicros !== undefined && (priceMicros ?? ceilingMicros + 1n) > ceilingMicros) {
    return `named ${id}, who asks too much`;
  }
  return undefined;
}

/** @throws BenchFailure when there is a fault */
export function refuse(subject: string, fault: string | undefined): void {
  if (fault !== undefined) throw new BenchFailure(`${subject} was answered wrongly: ${fault}`);
}

/** The mean, rounded. */
function meanOf(numbers: readonly number[]): number {
  return Math.round(numbers.reduce((sum, each) => sum + each, 0) / numbers.length);
}
