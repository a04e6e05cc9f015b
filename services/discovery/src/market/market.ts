import type { Filter } from "../filter.ts";
import { type Listing, STATE_RANK } from "../listing.ts";
import { Agents, ASPECT } from "./agents.ts";
import { Condition } from "./condition.ts";
import type { Counts } from "./counts.ts";
import { Expiry } from "./expiry.ts";
import { finding } from "./finding.ts";
import { Holdings } from "./holdings.ts";
import type { OnChange } from "./kept-view.ts";
import { Leases } from "./leases.ts";
import type { Later } from "./maker.ts";
import type { Slot } from "./ordered-set.ts";
import { Picks } from "./picks.ts";
import type { View, Wanted, WholeView } from "./view.ts";
import { LIMITS, type ViewLimits } from "./view-limits.ts";
import { Views } from "./views.ts";

/** What a market is made of. */
export interface MarketOptions {
  readonly now: () => Date;
  /** How long a pick counts. */
  readonly recentMs?: number;
  readonly limits?: ViewLimits;
  /** From how many changes at one moment on views may be made anew instead; default: 1,000. */
  readonly manyMin?: number;
  /** Does work once other work has had its turn; default: after what has arrived meanwhile. */
  readonly later?: Later;
}

const RECENT_MS = 60_000;
/** So many changes at one moment that views are made anew instead: this share of the agents, and at least that many. */
const MANY_SHARE = 0.1;
const MANY_MIN = 1_000;

/** All registered agents, in memory, with the views of them that are asked for. */
export class Market {
  readonly agents = new Agents();
  readonly views: Views;
  readonly #holdings = new Holdings(this.agents);
  readonly #leases = new Leases();
  readonly #picks: Picks;
  readonly #now: () => Date;
  readonly #expiry: Expiry;
  readonly #manyMin: number;
  /** Agents that are written and that nobody sees yet: see `#settle`. */
  #newcomers: Slot[] = [];
  /** The latest end of a lease that was taken for past. */
  #lapsedMs = -Infinity;

  constructor({ now, recentMs = RECENT_MS, limits = LIMITS, ...options }: MarketOptions) {
    const { manyMin = MANY_MIN, later = setImmediate } = options;
    this.#now = now;
    this.#manyMin = manyMin;
    this.#picks = new Picks(recentMs);
    this.#expiry = new Expiry(this.#picks, { now, later }, ({ slot, atMs }) => {
      const isSince = atMs > (this.agents.reportedMs[slot] as number) ? -1 : 0;
      this.#countPick(slot, -1, isSince);
    });
    // Who is written and has no place yet is nobody that a view could be made of.
    const settled: Later = (work) =>
      later(() => {
        this.catchUp();
        work();
      });
    this.views = new Views(this.agents, this.#holdings, settled, limits);
  }

  get size(): number {
    return this.agents.size + this.#newcomers.length;
  }

  /** The slot of a registered agent. */
  slotOf(agentId: string): Slot | undefined {
    this.#settle();
    return this.agents.slotOf(agentId);
  }

  /** Enters an agent under a slot that no other has, or replaces what is known of it. */
  put(slot: Slot, listing: Listing): void {
    const isLeased = listing.leaseEndMs < Infinity;
    // Most of a large market have no lease, and time is not asked for nothing.
    const lapses = isLeased && listing.leaseEndMs <= this.#leases.asOfMs(this.#now().getTime());
    if (lapses) this.#lapsedMs = Math.max(this.#lapsedMs, listing.leaseEndMs);
    const state = lapses ? STATE_RANK.OFFLINE : STATE_RANK[listing.state];
    const isNew = !this.agents.has(slot);
    if (!isNew) this.#settle();
    const { aspects, put } = this.agents.prepare(slot, listing, state);
    if (isNew) {
      put();
      this.#newcomers.push(slot);
    } else this.#change(slot, aspects, () => this.#putAgain(slot, put));
    if (isLeased && !lapses) this.#leases.set(slot, listing.leaseEndMs);
  }

  /** Takes an agent out. */
  remove(slot: Slot): void {
    if (!this.agents.has(slot)) return;
    this.#settle();
    this.views.leave(slot);
    this.#holdings.leave(slot);
    this.agents.remove(slot);
    this.agents.picks[slot] = 0;
    this.agents.picksSince[slot] = 0;
    this.#picks.forget(slot);
  }

  /** Who passes a filter now. @throws Wanted */
  view(filter: Filter): View {
    return this.views.of(filter, this.catchUp());
  }

  /** The same with ranks; `isCounted`: `counts` shall be exact. @throws Wanted */
  whole(filter: Filter, isCounted = false): WholeView {
    return this.views.whole(filter, isCounted, this.catchUp());
  }

  /** Lets the time pass, and newcomers be seen: who follows a filter is told of them. Answers the time. */
  catchUp(): number {
    this.#settle();
    const nowMs = this.#now().getTime();
    this.advance(nowMs);
    return nowMs;
  }

  /** Whether an agent passes a filter now. */
  passes(filter: Filter, slot: Slot): boolean {
    this.catchUp();
    const condition = new Condition(this.agents, filter);
    const passes = this.agents.has(slot) && condition.passes(slot);
    condition.release();
    return passes;
  }

  /** See `Views.follow`. */
  follow(filter: Filter, onChange: OnChange): (() => void) | undefined {
    return this.views.follow(filter, onChange);
  }

  /** Who passes a filter that is followed. @throws Wanted */
  followed(filter: Filter): WholeView {
    this.catchUp();
    return this.views.followed(filter);
  }

  /** A view as it is now, which was asked for before an `await`. @throws Wanted */
  renew(view: WholeView): WholeView;
  renew(view: View): View;
  renew(view: View): View {
    this.catchUp();
    return this.views.renew(view);
  }

  /** See `finding`. */
  finding<T>(work: () => T | Promise<T>): T | Promise<T> {
    return finding(this.views, work);
  }

  /** Makes what is wanted. */
  async make(wanted: Wanted): Promise<void> {
    using _made = await this.views.make(wanted);
  }

  /**
   * How many agents there are, as `total`, and for each reason that applies how many it keeps out of a view; with those
   * that pass they sum to `total`. With `sampled` they are estimates: only where nobody passes.
   */
  counts(view: View, excluded: ReadonlySet<string> = NOBODY): Counts {
    const slots = Array.from(excluded, (id) => this.slotOf(id));
    return this.views.counts(view, new Set(slots.filter((slot) => slot !== undefined)));
  }

  /** Each capability that somebody has, with how many do and how many of them are ONLINE. */
  capabilities(): Iterable<{ capability: string; agents: number; online: number }> {
    this.catchUp();
    return this.#holdings.counts();
  }

  /** Remembers that an agent was picked. */
  picked(slot: Slot): void {
    const nowMs = this.#now().getTime();
    const atMs = this.#picks.record(slot, nowMs);
    const isSince = atMs > (this.agents.reportedMs[slot] as number) ? 1 : 0;
    this.#countPick(slot, 1, isSince);
  }

  /** Lets leases stand still as of a time; those that ended later hold again. */
  hold(sinceMs: number): void {
    this.#leases.heldMs = sinceMs;
    this.catchUp();
  }

  /** Lets leases run again; `endOf` tells when each of those that held ends by now, no sooner than before. */
  release(endOf: (slot: Slot) => number): void {
    this.agents.endLeases(endOf);
    this.#leases.heldMs = Infinity;
    this.catchUp();
  }

  /** Lets the time pass: leases end, and picks leave the window, a few at once and the others between calls. */
  advance(nowMs: number): void {
    this.#endLeases(this.#leases.asOfMs(nowMs));
    this.#expiry.look(nowMs);
  }

  #endLeases(nowMs: number): void {
    if (nowMs < this.#lapsedMs) this.#restore(nowMs);
    const due = this.#leases.due(nowMs, (slot) => this.#endOf(slot));
    if (due.length > 0) this.#settle();
    if (this.#isMany(due.length)) this.views.clear();
    for (const slot of due) {
      this.#lapsedMs = Math.max(this.#lapsedMs, this.#endOf(slot));
      this.#setState(slot, STATE_RANK.OFFLINE);
    }
  }

  /** Gives newcomers their places once somebody looks: all that came together, as those of a snapshot do, at once. */
  #settle(): void {
    const newcomers = this.#newcomers;
    if (newcomers.length === 0) return;
    this.#newcomers = [];
    const { order } = this.agents;
    if (this.#isMany(newcomers.length)) {
      order.insertAll(newcomers);
      this.#holdings.renew();
      this.views.clear();
      return;
    }
    for (const slot of newcomers) {
      order.insert(slot);
      this.#holdings.enter(slot);
      this.views.enter(slot);
    }
  }

  #isMany(count: number): boolean {
    return count > this.#manyMin && count > this.agents.size * MANY_SHARE;
  }

  #change(slot: Slot, aspects: number, write: () => void): void {
    const isAble = (aspects & ASPECT.ABILITY) !== 0;
    const isStated = !isAble && (aspects & ASPECT.STATE) !== 0;
    this.views.change(slot, aspects, () => {
      if (isAble) this.#holdings.leave(slot);
      else if (isStated) this.#holdings.count(slot, -1);
      write();
      if (isAble) this.#holdings.enter(slot);
      else if (isStated) this.#holdings.count(slot, 1);
    });
  }

  #putAgain(slot: Slot, put: () => void): void {
    const reportedMs = this.agents.reportedMs[slot];
    put();
    if (this.agents.picks[slot] === 0 || this.agents.reportedMs[slot] === reportedMs) return;
    this.agents.picksSince[slot] = this.#picks.count(slot, this.agents.reportedMs[slot]);
  }

  #countPick(slot: Slot, change: 1 | -1, since: 1 | -1 | 0): void {
    this.views.change(slot, ASPECT.PICKS, () => {
      this.agents.picks[slot] = (this.agents.picks[slot] as number) + change;
      this.agents.picksSince[slot] = (this.agents.picksSince[slot] as number) + since;
    });
  }

  #setState(slot: Slot, state: number): void {
    if (this.agents.state[slot] === state) return;
    this.#change(slot, ASPECT.STATE, () => {
      this.agents.state[slot] = state;
    });
  }

  /** The clock was set back, or stands as of before: leases that had lapsed hold again. */
  #restore(nowMs: number): void {
    this.#settle();
    this.#lapsedMs = -Infinity;
    for (const slot of this.agents.order.all.toArray()) {
      const endMs = this.#endOf(slot);
      if (endMs > nowMs && endMs < Infinity) {
        this.#setState(slot, this.agents.told[slot] as number);
        this.#leases.set(slot, endMs);
      } else if (endMs <= nowMs) this.#lapsedMs = Math.max(this.#lapsedMs, endMs);
    }
  }

  #endOf(slot: Slot): number {
    return this.agents.has(slot) ? (this.agents.leaseEndMs[slot] as number) : Infinity;
  }
}

const NOBODY: ReadonlySet<string> = new Set();
