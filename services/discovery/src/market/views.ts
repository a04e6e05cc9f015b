import { type Filter, filterKey } from "../filter.ts";
import { type Agents, ASPECT } from "./agents.ts";
import { candidates, type Holders } from "./candidates.ts";
import { Condition } from "./condition.ts";
import { KeptView, type OnChange } from "./kept-view.ts";
import type { Slot } from "./ordered-set.ts";
import { type Faults, sift } from "./sift.ts";
import { SiftedView } from "./sifted-view.ts";
import type { WholeView } from "./view.ts";

/** How much is kept. */
export interface ViewLimits {
  /** A view is made for a filter that is asked again within this time. */
  readonly againMs: number;
  /** Filters that are remembered as asked once. */
  readonly askedMax: number;
  readonly viewsMax: number;
  /** Entries of all views, in all their orders; an entry takes about six bytes. */
  readonly entriesMax: (agents: number) => number;
  /** An order keeps at least so many of its first agents. */
  readonly firstMin: number;
  /** Filters that are followed; those may hold half of `entriesMax`. */
  readonly followedMax: number;
}

/** What is kept unless it is told otherwise. */
export const LIMITS: ViewLimits = {
  againMs: 60_000,
  askedMax: 2_000,
  viewsMax: 2_000,
  entriesMax: (agents) => 1_000_000 + 32 * agents,
  firstMin: 1_024,
  followedMax: 1_000,
};

/**
 * The views of a market. A filter that is asked once is sifted; one that is asked again soon gets a view that is kept
 * current. The one that was not used for longest goes when there are too many: so a caller with a new filter each time
 * costs sifts, and no memory.
 */
export class Views {
  readonly #agents: Agents;
  readonly #holders: Holders;
  readonly #limits: ViewLimits;
  readonly #views = new Map<string, KeptView>();
  readonly #byCapability = new Map<number, Set<KeptView>>();
  /** Those whose filter names no capability. */
  readonly #wide = new Set<KeptView>();
  /** Filters that were asked once, and when; the oldest first. */
  readonly #asked = new Map<string, number>();
  readonly #concerned: KeptView[] = [];
  /** By filter, who follows it. */
  readonly #followed = new Map<string, OnChange>();
  #uses = 0;
  #changes = 0;

  constructor(agents: Agents, holders: Holders, limits: ViewLimits = LIMITS) {
    this.#agents = agents;
    this.#holders = holders;
    this.#limits = limits;
  }

  get size(): number {
    return this.#views.size;
  }

  /** Entries of all views. */
  get entries(): number {
    let entries = 0;
    for (const view of this.#views.values()) entries += view.entries;
    return entries;
  }

  /** Who passes a filter. */
  of(filter: Filter, nowMs: number): WholeView {
    const key = filterKey(filter);
    const kept = this.#views.get(key);
    if (kept !== undefined) {
      this.#uses += 1;
      kept.usedAt = this.#uses;
      return kept;
    }
    if (!this.#followed.has(key) && !this.#isAskedAgain(key, nowMs)) return this.#sift(key, filter);
    const condition = new Condition(this.#agents, filter);
    const { eligible } = sift(
      candidates(this.#agents, this.#holders, condition.ability),
      condition,
    );
    const named = { key, filter, firstMin: this.#limits.firstMin };
    return this.#keep(new KeptView(named, this.#agents, condition, eligible));
  }

  /**
   * Tells of what changes in the view of a filter, which nobody else follows, and keeps that view as long as there is
   * room for others beside it. Returns what ends it; undefined when too much is followed.
   */
  follow(filter: Filter, onChange: OnChange): (() => void) | undefined {
    if (this.#followed.size >= this.#limits.followedMax) return undefined;
    let entries = 0;
    for (const key of this.#followed.keys()) entries += this.#views.get(key)?.entries ?? 0;
    if (entries > this.#limits.entriesMax(this.#agents.size) / 2) return undefined;
    const key = filterKey(filter);
    this.#followed.set(key, onChange);
    const kept = this.#views.get(key);
    if (kept !== undefined) kept.onChange = onChange;
    return () => {
      this.#followed.delete(key);
      const known = this.#views.get(key);
      if (known !== undefined) known.onChange = undefined;
    };
  }

  /** A view as it is now, which was asked for a while ago. */
  renew(view: WholeView): WholeView {
    const kept = this.#views.get(view.key);
    if (kept !== undefined) return kept;
    if (view instanceof SiftedView && view.madeIn === this.#changes) return view;
    return this.#sift(view.key, view.filter);
  }

  /** Who of those that have the capabilities were kept out by what. */
  faultsOf(view: WholeView): Faults {
    if (view instanceof SiftedView) return view.faults;
    const kept = view as KeptView;
    kept.faults ??= sift(
      candidates(this.#agents, this.#holders, kept.ability),
      kept.condition,
    ).faults;
    return kept.faults;
  }

  /** Writes a change of a known agent; the views that look at one of these aspects follow. */
  change(slot: Slot, aspects: number, write: () => void): void {
    const concerned = this.#concerned;
    concerned.length = 0;
    this.#changes += 1;
    this.#gather(slot, aspects);
    for (const view of concerned) view.before(slot, aspects);
    const known = concerned.length;
    write();
    if ((aspects & ASPECT.ABILITY) !== 0) this.#gather(slot, aspects);
    for (let index = 0; index < concerned.length; index += 1) {
      const view = concerned[index] as KeptView;
      if (index < known) view.after(slot, aspects);
      else view.enter(slot);
    }
  }

  /** Lets the views see a newcomer that is written. */
  enter(slot: Slot): void {
    this.#concerned.length = 0;
    this.#changes += 1;
    this.#gather(slot, ASPECT.ALL);
    for (const view of this.#concerned) view.enter(slot);
  }

  /** Takes an agent out that is still there. */
  leave(slot: Slot): void {
    this.#concerned.length = 0;
    this.#changes += 1;
    this.#gather(slot, ASPECT.ALL);
    for (const view of this.#concerned) view.leave(slot);
  }

  /** Drops all views: made anew they cost less than to be told of very many changes. */
  clear(): void {
    this.#changes += 1;
    for (const view of this.#views.values()) this.#drop(view);
  }

  #sift(key: string, filter: Filter): SiftedView {
    const condition = new Condition(this.#agents, filter);
    const sifted = sift(candidates(this.#agents, this.#holders, condition.ability), condition);
    condition.release();
    const named = { key, filter, madeIn: this.#changes };
    return new SiftedView(named, this.#agents, condition, sifted);
  }

  #gather(slot: Slot, aspects: number): void {
    this.#gatherFrom(this.#wide, aspects);
    const { numbers, start, count } = this.#agents.records;
    const from = start[slot] as number;
    const end = from + (count[slot] as number);
    for (let at = from; at < end; at += 2) {
      const views = this.#byCapability.get(numbers[at] as number);
      if (views !== undefined) this.#gatherFrom(views, aspects);
    }
  }

  #gatherFrom(views: ReadonlySet<KeptView>, aspects: number): void {
    for (const view of views) {
      if ((view.aspects & aspects) === 0 || view.toldIn === this.#changes) continue;
      view.toldIn = this.#changes;
      this.#concerned.push(view);
    }
  }

  #isAskedAgain(key: string, nowMs: number): boolean {
    const askedMs = this.#asked.get(key);
    this.#asked.delete(key);
    if (askedMs !== undefined && Math.abs(nowMs - askedMs) <= this.#limits.againMs) return true;
    this.#asked.set(key, nowMs);
    if (this.#asked.size > this.#limits.askedMax) {
      const [oldest] = this.#asked.keys();
      if (oldest !== undefined) this.#asked.delete(oldest);
    }
    return false;
  }

  #keep(view: KeptView): KeptView {
    this.#uses += 1;
    view.usedAt = this.#uses;
    this.#views.set(view.key, view);
    view.onChange = this.#followed.get(view.key);
    for (const views of this.#setsOf(view)) views.add(view);
    this.#makeRoom(view);
    return view;
  }

  #makeRoom(newest: KeptView): void {
    const entriesMax = this.#limits.entriesMax(this.#agents.size);
    let entries = this.entries;
    if (this.size <= this.#limits.viewsMax && entries <= entriesMax) return;
    const byUse = [...this.#views.values()].sort((a, b) => a.usedAt - b.usedAt);
    for (const view of byUse) {
      // A little more than needed, so that not every new view has to look.
      if (this.size <= this.#limits.viewsMax * 0.95 && entries <= entriesMax * 0.95) return;
      if (view === newest) return;
      if (view.onChange !== undefined) continue;
      entries -= view.entries;
      this.#drop(view);
    }
  }

  #drop(view: KeptView): void {
    this.#views.delete(view.key);
    for (const views of this.#setsOf(view)) views.delete(view);
    for (const capability of view.ability.numbers) {
      if (this.#byCapability.get(capability)?.size === 0) this.#byCapability.delete(capability);
    }
    view.condition.release();
    view.onChange?.(ASPECT.ALL);
  }

  /** Where a view is listed: under each capability if one will do, else under one of those that are needed. */
  #setsOf({ ability: { numbers, isAll } }: KeptView): Set<KeptView>[] {
    const [first] = numbers;
    if (first === undefined) return [this.#wide];
    return (isAll ? [first] : numbers).map((number) => {
      const views = this.#byCapability.get(number) ?? new Set();
      this.#byCapability.set(number, views);
      return views;
    });
  }
}
