import {
  type DiscoveryService,
  SelectAgentRequestSchema,
  type SelectAgentResponse,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { Roster } from "@bourse/roster";
import { callOptions, formatPrincipal, principalKey } from "@bourse/rpc";
import { pageSize } from "@bourse/rpc/page";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Client, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { explained, recommended, searched, selected } from "./answer.ts";
import { capabilityOf, countsOf, filterOf, orderOf, selectionOf, timeoutMsOf } from "./codec.ts";
import { explain, factsOf } from "./explanation.ts";
import type { Market } from "./market/market.ts";
import type { DiscoveryMetrics } from "./metrics.ts";
import { onward } from "./onward.ts";
import { placesAt } from "./places.ts";
import { recommend } from "./recommendation.ts";
import type { Rotation } from "./rotation.ts";
import { search } from "./search.ts";
import { type Selected, type Selection, select } from "./selection.ts";
import { pickWithSlot } from "./slot.ts";
import { stalenessOf, staleRefusal } from "./stale.ts";
import { summarize } from "./summary.ts";
import { pickTried } from "./trial.ts";
import { trialsAt } from "./trials.ts";
import { watching } from "./watch/watching.ts";
import type { Wire } from "./wire.ts";

/** What the service is made of. */
export interface DiscoveryParts {
  readonly roster: Roster;
  /** Of the same agents, under the same slots. */
  readonly market: Market;
  readonly rotation: Rotation;
  readonly metrics: DiscoveryMetrics;
  /** Where places at agents are taken. */
  readonly registry: Client<typeof RegistryService>;
  /** An id that nobody guesses. */
  readonly newId: () => string;
  readonly now: () => Date;
  /** From 0 to below 1. */
  readonly random: () => number;
}

const PAGE_SIZE = 20;
const RECOMMENDED = 3;
const EXPLAINED = 10;

/** Answers who should do this. */
export function discoveryService(parts: DiscoveryParts): ServiceImpl<typeof DiscoveryService> {
  const { roster, market, metrics } = parts;
  const read = roster.messageAt;
  const staleness = () => stalenessOf(roster);
  const refused = (refusal: unknown) => (staleness().stale ? staleRefusal(refusal) : refusal);
  const trials = trialsAt(parts.registry);

  function pick(selection: Selection): Selected<Wire> | Promise<Selected<Wire>> {
    const { agents } = market;
    // Nearly always: no breaker of anybody is open.
    if (agents.breakers.size === 0) return select({ ...parts, read }, selection);
    return pickTried(
      {
        agents,
        trials,
        pick: async (excluded) => select({ ...parts, read }, { ...selection, excluded }),
      },
      selection.filter,
      selection.excluded,
    );
  }

  async function pickPlace(asked: Selection, timeoutMs: number, ctx: HandlerContext) {
    const holder = formatPrincipal(ctx.values.get(principalKey));
    const { picked, place } = await pickWithSlot(
      {
        places: placesAt(parts.registry, holder, timeoutMs, callOptions(ctx)),
        newId: parts.newId,
        pick: async (others) => pick({ ...asked, excluded: others }),
        total: () => market.size,
        signal: ctx.signal,
      },
      asked.excluded,
    );
    const { expireAt, ...slot } = place;
    const taken = { ...slot, expireTime: timestampFromDate(expireAt) };
    return selected(picked, { slot: taken, ...staleness() });
  }

  return {
    ...watching(parts, trials),

    searchAgents(request) {
      const order = orderOf(request.orderBy);
      return market.finding(() => {
        const { slots, nextPageToken, view, size, isEstimate } = search(market, {
          filter: filterOf(request.filter, undefined),
          order,
          pageSize: pageSize(request.pageSize, PAGE_SIZE),
          pageToken: request.pageToken,
          isWhole: request.explain,
          fitting: (page) => page.slice(0, countFitting(page.map(read))),
        });
        metrics.searched(order, size);
        const explanations = request.explain
          ? slots.map((slot) => ({ ...factsOf(market.agents, view, slot), agent: read(slot) }))
          : [];
        return searched(slots.map(read), explanations, {
          nextPageToken,
          totalSize: BigInt(size),
          totalIsEstimate: isEstimate,
          ...staleness(),
          ...(request.explain && { counts: countsOf(market.counts(view)) }),
        });
      });
    },

    async recommendAgents({ capability, count, includeBusy }) {
      const asked = {
        capability: capabilityOf(capability),
        count: count === 0 ? RECOMMENDED : count,
        includeBusy,
      };
      const agents = await counted(
        () => recommend({ ...parts, read }, asked),
        () => metrics.recommended("named"),
        (refusal) => {
          metrics.recommended("nobody");
          return refused(refusal);
        },
      );
      return recommended(agents, staleness());
    },

    selectAgent(request, ctx) {
      const asked = selectionOf(request);
      const { strategy } = asked;
      return counted<SelectAgentResponse>(
        () =>
          request.slot === undefined
            ? onward(pick(asked), (picked) => selected(picked, staleness()))
            : pickPlace(asked, timeoutMsOf(request.slot), ctx),
        () => metrics.selected(strategy, "picked"),
        (refusal) => {
          metrics.selected(strategy, "nobody");
          return refused(refusal);
        },
      );
    },

    async explainSelection({ selection, count }) {
      const asked = selectionOf(selection ?? create(SelectAgentRequestSchema));
      const told = await explain({ ...parts, read }, asked, count || EXPLAINED);
      return explained(told.candidates, {
        reason: told.reason,
        eligibleAgents: BigInt(told.eligibleCount),
        counts: countsOf(told.counts),
        panic: told.isPanic,
        unprovenAgents: BigInt(told.unprovenCount),
        ...staleness(),
      });
    },

    summarizeCapabilities() {
      const capabilities = summarize(market).map(({ capability, agents, online }) => ({
        capability,
        agents: BigInt(agents),
        onlineAgents: BigInt(online),
      }));
      return { capabilities, totalAgents: BigInt(market.size), ...staleness() };
    },
  };
}

/** A page ends early at this size, so that the answer fits into one message. */
const PAGE_BYTES_MAX = 3 * 1024 * 1024;

/** How many of the first agents fit into an answer, at least one. */
function countFitting(agents: readonly Wire[]): number {
  let bytes = 0;
  const end = agents.findIndex((agent, index) => {
    bytes += agent.length;
    return bytes > PAGE_BYTES_MAX && index > 0;
  });
  return end === -1 ? agents.length : end;
}

/** Passes an answer on, once it is counted, or the refusal that `onRefusal` makes of one. */
function counted<T>(
  answer: () => T | Promise<T>,
  onAnswer: () => void,
  onRefusal: (refusal: unknown) => unknown,
): T | Promise<T> {
  const refuse = (refusal: unknown): never => {
    throw onRefusal(refusal);
  };
  let given: T | Promise<T>;
  try {
    given = answer();
  } catch (refusal) {
    return refuse(refusal);
  }
  if (given instanceof Promise) {
    given.then(onAnswer, () => {});
    return given.catch(refuse);
  }
  onAnswer();
  return given;
}
