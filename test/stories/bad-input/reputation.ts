import { eur } from "../../support/money.ts";
import { minutes, seconds } from "../../support/time.ts";
import type { Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const UNKNOWN = { code: "NotFound", reason: "AGENT_NOT_FOUND" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;

const OUTCOME = {
  outcomeId: "outcome-1",
  requesterId: "somebody",
  capability: "iso_construction",
  outcome: {
    success: true,
    estimatedLatency: minutes(10),
    actualLatency: minutes(9),
    price: eur(1),
  },
  endTime: { seconds: 1_800_000_000n },
};

/** What the registry must refuse to be told of how an agent is and has done. */
export const reputationRows: readonly Row[] = [
  {
    title: "a heartbeat with less than nothing in flight",
    call: ({ worker }) => worker.registry.heartbeat({ agentId: worker.id, inFlight: -1 }),
    ...INVALID,
    field: "in_flight",
  },
  {
    title: "a heartbeat that asks for a lease of a year",
    call: ({ worker }) =>
      worker.registry.heartbeat({ agentId: worker.id, lease: seconds(31_536_000) }),
    ...INVALID,
    field: "lease",
  },
  {
    title: "a heartbeat of an agent that is not registered",
    call: ({ stranger }) => stranger.registry.heartbeat({ agentId: stranger.id }),
    ...UNKNOWN,
  },
  {
    title: "recording an outcome as an operator",
    call: ({ operator, worker }) =>
      operator.registry.recordOutcome({ ...OUTCOME, agentId: worker.id }),
    ...DENIED,
  },
  {
    title: "recording an outcome of no weight",
    call: ({ auctioneer, worker }) =>
      auctioneer.registry.recordOutcome({ ...OUTCOME, agentId: worker.id, weight: 0 }),
    ...INVALID,
    field: "weight",
  },
  {
    title: "recording an outcome of a negative latency",
    call: ({ auctioneer, worker }) =>
      auctioneer.registry.recordOutcome({
        ...OUTCOME,
        agentId: worker.id,
        outcome: { ...OUTCOME.outcome, actualLatency: minutes(-1) },
      }),
    ...INVALID,
    field: "outcome.actual_latency",
  },
  {
    title: "recording an outcome of an agent that was never there",
    call: ({ auctioneer }) => auctioneer.registry.recordOutcome({ ...OUTCOME, agentId: "nobody" }),
    ...UNKNOWN,
  },
  {
    title: "adjusting a reputation by what is no number",
    call: ({ operator, worker }) =>
      operator.registry.adjustReputation({
        agentId: worker.id,
        delta: Number.NaN,
        reason: "because",
      }),
    ...INVALID,
    field: "delta",
  },
  {
    title: "adjusting a reputation by six",
    call: ({ operator, worker }) =>
      operator.registry.adjustReputation({ agentId: worker.id, delta: 6, reason: "because" }),
    ...INVALID,
    field: "delta",
  },
  {
    title: "adjusting a reputation without a reason",
    call: ({ operator, worker }) =>
      operator.registry.adjustReputation({ agentId: worker.id, delta: 1 }),
    ...INVALID,
    field: "reason",
  },
  {
    title: "adjusting one's own reputation",
    call: ({ worker }) =>
      worker.registry.adjustReputation({ agentId: worker.id, delta: 5, reason: "I am good" }),
    ...DENIED,
  },
];
