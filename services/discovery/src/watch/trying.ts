import { halfOpen, trialOf } from "../market/half-open.ts";
import type { Slot } from "../market/ordered-set.ts";
import type { Group } from "./list.ts";
import type { Seat } from "./seat.ts";
import type { WatchParts } from "./watches.ts";

/** An agent that a caller tries; nobody yet as long as the registry is asked. */
interface Attempt {
  readonly capability: string;
  readonly sinceMs: number;
  seat: Seat | undefined;
}

/** After this another caller tries: the registry, too, waits no longer for news of a call that it let through. */
const ATTEMPT_MS = 30_000;

/** Who tries the agents whose breaker is half open: of each filter one caller at a time, if the registry lets it. */
export class Trying {
  readonly #parts: WatchParts;
  readonly #attempts = new Map<Group, Map<string, Attempt>>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Gives agents that are to be tried to callers. */
  begin(groups: Iterable<Group>): void {
    const { market } = this.#parts;
    if (market.agents.breakers.size === 0 && this.#attempts.size === 0) return;
    const open = halfOpen(market.agents);
    for (const group of groups) {
      this.end(group);
      for (const capability of group.filter.capabilities) {
        for (const slot of open.get(capability) ?? []) this.#begin(group, slot, capability);
      }
    }
  }

  /** Takes back those that are tried no more, or long enough. */
  end(group: Group): void {
    const attempts = this.#attempts.get(group);
    for (const [agentId, { capability, seat, sinceMs }] of attempts ?? []) {
      if (seat === undefined) continue;
      const slot = this.#parts.market.slotOf(agentId);
      const isTried = slot !== undefined && this.#isToBeTried(group, slot, capability);
      if (isTried && performance.now() - sinceMs < ATTEMPT_MS) continue;
      attempts?.delete(agentId);
      seat.offerTrial("");
    }
    if (attempts?.size === 0) this.#attempts.delete(group);
  }

  /** Says that a caller has left. */
  leave(group: Group, seat: Seat): void {
    const attempts = this.#attempts.get(group);
    for (const [agentId, attempt] of attempts ?? []) {
      if (attempt.seat === seat) attempts?.delete(agentId);
    }
    if (attempts?.size === 0 || group.lists.size === 0) this.#attempts.delete(group);
  }

  #begin(group: Group, slot: Slot, capability: string): void {
    if (!this.#isToBeTried(group, slot, capability) || freeSeats(group).length === 0) return;
    const attempts = this.#attempts.get(group) ?? new Map<string, Attempt>();
    const agentId = this.#parts.market.agents.idOf(slot);
    if (attempts.has(agentId)) return;
    const attempt = { capability, sinceMs: performance.now(), seat: undefined };
    this.#attempts.set(group, attempts.set(agentId, attempt));
    void this.#give(group, agentId, attempt).then((isGiven) => {
      if (!isGiven) attempts.delete(agentId);
    });
  }

  async #give(group: Group, agentId: string, attempt: Attempt): Promise<boolean> {
    const { market, trials, random, writeTrial } = this.#parts;
    if (!(await trials.take(agentId, attempt.capability))) return false;
    const slot = market.slotOf(agentId);
    const free = freeSeats(group);
    const seat = free[Math.floor(random() * free.length)];
    if (slot === undefined || seat === undefined) return false;
    attempt.seat = seat;
    seat.offerTrial(writeTrial(slot));
    return true;
  }

  #isToBeTried({ filter }: Group, slot: Slot, capability: string): boolean {
    const { market } = this.#parts;
    return trialOf(market.agents, slot, filter) === capability && market.passes(filter, slot);
  }
}

function freeSeats({ lists }: Group): Seat[] {
  const all = [...lists.values()].flatMap(({ seats }) => [...seats]);
  return all.filter((seat) => !seat.isTrying);
}
