import { eur } from "../../support/money.ts";
import { seconds } from "../../support/time.ts";
import type { Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;

async function firstOf(messages: AsyncIterable<unknown>): Promise<unknown> {
  for await (const message of messages) return message;
  return undefined;
}

/** What discovery must refuse. */
export const discoveryRows: readonly Row[] = [
  {
    title: "searching in an order that does not exist",
    call: ({ operator }) => operator.discovery.searchAgents({ orderBy: 99 as 1 }),
    ...INVALID,
    field: "order_by",
  },
  {
    title: "searching for a negative price",
    call: ({ operator }) => operator.discovery.searchAgents({ filter: { maxCost: eur(-1) } }),
    ...INVALID,
    field: "filter.max_cost",
  },
  {
    title: "searching for a reliability that is no number",
    call: ({ operator }) =>
      operator.discovery.searchAgents({ filter: { minReliability: Number.NaN } }),
    ...INVALID,
    field: "filter.min_reliability",
  },
  {
    title: "searching for an answer before the question",
    call: ({ operator }) =>
      operator.discovery.searchAgents({ filter: { maxLatency: seconds(-1) } }),
    ...INVALID,
    field: "filter.max_latency",
  },
  {
    title: "searching for a state that is none",
    call: ({ operator }) => operator.discovery.searchAgents({ filter: { states: [0] } }),
    ...INVALID,
    field: "filter.states[0]",
  },
  {
    title: "searching from a page that never was",
    call: ({ operator }) => operator.discovery.searchAgents({ pageToken: "AAAA" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "asking for a recommendation for nothing",
    call: ({ operator }) => operator.discovery.recommendAgents({ capability: "" }),
    ...INVALID,
    field: "capability",
  },
  {
    title: "asking for 101 recommendations",
    call: ({ operator }) => operator.discovery.recommendAgents({ capability: "x", count: 101 }),
    ...INVALID,
    field: "count",
  },
  {
    title: "asking for what nobody can do",
    call: ({ operator }) => operator.discovery.recommendAgents({ capability: "time_travel" }),
    code: "NotFound",
    reason: "NO_ELIGIBLE_AGENTS",
  },
  {
    title: "selecting in a way that does not exist",
    call: ({ operator }) => operator.discovery.selectAgent({ strategy: -1 as 1 }),
    ...INVALID,
    field: "strategy",
  },
  {
    title: "selecting with eleven alternates",
    call: ({ operator }) => operator.discovery.selectAgent({ alternates: 11 }),
    ...INVALID,
    field: "alternates",
  },
  {
    title: "a slow start without an end",
    call: ({ operator }) => operator.discovery.selectAgent({ slowStart: {} }),
    ...INVALID,
    field: "slow_start.window",
  },
  {
    title: "exploring more often than always",
    call: ({ operator }) => operator.discovery.selectAgent({ explorationShare: 1.1 }),
    ...INVALID,
    field: "exploration_share",
  },
  {
    title: "a panic at a share that is no number",
    call: ({ operator }) => operator.discovery.selectAgent({ panicThreshold: Number.NaN }),
    ...INVALID,
    field: "panic_threshold",
  },
  {
    title: "following a hundred and one candidates",
    call: ({ operator }) => firstOf(operator.discovery.watchCandidates({ count: 101 })),
    ...INVALID,
    field: "count",
  },
  {
    title: "following candidates by a strategy that is for single picks",
    call: ({ operator }) => firstOf(operator.discovery.watchCandidates({ strategy: 6 })),
    ...INVALID,
    field: "strategy",
  },
  {
    title: "explaining no selection",
    call: ({ operator }) => operator.discovery.explainSelection({}),
    ...INVALID,
    field: "selection",
  },
  {
    title: "selecting from nobody",
    call: ({ operator, resting }) =>
      operator.discovery.selectAgent({
        filter: { capabilities: ["iso_construction"], states: [4] },
        excludeAgentIds: [resting.id],
      }),
    code: "NotFound",
    reason: "NO_ELIGIBLE_AGENTS",
  },
];
