import {
  type DiscoveryService,
  type WatchCandidatesResponse,
  WatchCandidatesResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { Roster } from "@bourse/roster";
import { encoded } from "@bourse/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { listed, trialListed } from "../answer.ts";
import { countsOf, strategyOf, watchOf } from "../codec.ts";
import type { Market } from "../market/market.ts";
import type { DiscoveryMetrics } from "../metrics.ts";
import { stalenessOf } from "../stale.ts";
import type { Trials } from "../trial.ts";
import { bytesOf } from "../wire.ts";
import type { Seat } from "./seat.ts";
import { type Watch, Watches } from "./watches.ts";

/** What following candidates needs. */
export interface WatchingParts {
  readonly roster: Roster;
  /** Of the same agents, under the same slots. */
  readonly market: Market;
  readonly metrics: DiscoveryMetrics;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** WatchCandidates. */
export function watching(
  { roster, market, metrics, random }: WatchingParts,
  trials: Trials,
): Pick<ServiceImpl<typeof DiscoveryService>, "watchCandidates"> {
  const watches = new Watches({
    market,
    trials,
    random,
    write(slots, view, ringStart) {
      const said = { ringStart, ...stalenessOf(roster) };
      if (slots.length > 0) return listed(slots.map(roster.messageAt), said);
      const counts = market.counts(view);
      // Those that pass and are not named are half open, and tried by others.
      if (view.size > 0) counts["breaker_open"] = (counts["breaker_open"] ?? 0) + view.size;
      return listed([], { ...said, counts: countsOf(counts) });
    },
    writeTrial: (slot) => trialListed(roster.messageAt(slot)),
  });
  roster.subscribe(({ slot }) => watches.touch(slot));
  roster.subscribeStale(() => watches.touchAll());

  async function open(watch: Watch): Promise<Seat> {
    const seat = await market.finding(() => watches.open(watch));
    metrics.watching(1);
    return seat;
  }

  return {
    // No generator: one that waits for its next list could not be ended.
    watchCandidates(request) {
      const strategy = strategyOf(request.strategy);
      let opened: Promise<Seat> | undefined;
      let isOver = false;
      const messages: AsyncIterator<WatchCandidatesResponse> = {
        async next() {
          opened ??= open(watchOf(request));
          const message = await (await opened).next();
          if (message === undefined) return { done: true, value: undefined };
          metrics.listTold(strategy);
          return { value: encoded(WatchCandidatesResponseSchema, bytesOf(message)) };
        },
        async return() {
          const seat = await opened?.catch(() => undefined);
          if (seat !== undefined && !isOver) metrics.watching(-1);
          isOver = true;
          seat?.close();
          return { done: true, value: undefined };
        },
      };
      return { [Symbol.asyncIterator]: () => messages };
    },
  };
}
