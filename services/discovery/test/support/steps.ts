import fc from "fast-check";
import type { Listing } from "../../src/listing.ts";
import type { Slot } from "../../src/market/ordered-set.ts";
import type { ViewOrder } from "../../src/market/view.ts";
import { type openMarket, someListings } from "./listing.ts";

/** All orders of a view. */
export const ORDERS: readonly ViewOrder[] = [
  "COST",
  "RELIABILITY",
  "SCORE",
  "AVAILABILITY",
  "ID",
  "STANDING",
  "LOAD",
  "CHEAPEST",
  "BEST",
  "FASTEST",
  "BY_LOAD",
  "BY_PRICE",
  "BY_SURENESS",
  "BY_LATENCY",
];

/** A market, and how it is changed. */
export type Desk = ReturnType<typeof openMarket>;

/**
 * What happens to a market: agents come or change, go, are picked, time passes or is set back, and leases stand still
 * as of some time ago, or run again and are so long.
 */
export type Step =
  | { readonly kind: "put"; readonly listings: readonly Listing[] }
  | { readonly kind: "remove" | "pick"; readonly index: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "hold"; readonly ms: number }
  | { readonly kind: "release"; readonly ms: number }
  /** All three: leases stand still, time passes, leases run again. */
  | { readonly kind: "outage"; readonly ms: number };

/** Any of them. */
export const someSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("put" as const), listings: someListings }),
    fc.record({ kind: fc.constantFrom("remove", "pick"), index: fc.nat(30) }),
    fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 500, 1_000, 30_000, 60_000, -1, -1_000),
    }),
    fc.record({ kind: fc.constant("hold" as const), ms: fc.constantFrom(0, 1, 1_000) }),
    fc.record({ kind: fc.constant("release" as const), ms: fc.constantFrom(0, 1, 1_000) }),
    fc.record({ kind: fc.constant("outage" as const), ms: fc.constantFrom(0, 1, 1_000) }),
  ),
  { maxLength: 20 },
);

/** Lives the steps, with the agents that are there; answers with those that are there in the end. */
export function live(
  desk: Desk,
  steps: readonly Step[],
  present = new Map<string, Listing>(),
): Map<string, Listing> {
  for (const step of steps) {
    if (step.kind === "put") {
      for (const listing of step.listings) {
        desk.put(listing);
        present.set(listing.agentId, listing);
      }
    } else if (step.kind === "outage") {
      const steps = [
        { kind: "hold" as const, ms: 0 },
        { kind: "wait" as const, ms: 1_000 },
      ];
      live(desk, [...steps, { kind: "release", ms: step.ms }], present);
    } else if (step.kind === "wait") desk.clock.nowMs += step.ms;
    else if (step.kind === "hold") {
      desk.clock.heldMs = desk.clock.nowMs - step.ms;
      desk.market.hold(desk.clock.heldMs);
    } else if (step.kind === "release") release(desk, present, step.ms);
    else {
      const agentId = [...present.keys()][step.index % present.size];
      if (agentId === undefined) continue;
      if (step.kind === "pick") desk.market.picked(desk.market.slotOf(agentId) as Slot);
      else {
        desk.remove(agentId);
        present.delete(agentId);
      }
    }
  }
  return present;
}

function release(desk: Desk, present: Map<string, Listing>, lengthMs: number): void {
  const { clock, market } = desk;
  const endsOf = (endMs: number) =>
    endMs > clock.heldMs ? Math.max(endMs, clock.nowMs + lengthMs) : endMs;
  for (const [agentId, listing] of present) {
    present.set(agentId, { ...listing, leaseEndMs: endsOf(listing.leaseEndMs) });
  }
  clock.heldMs = Infinity;
  market.release((slot) => present.get(market.agents.idOf(slot))?.leaseEndMs ?? Infinity);
}
