import { type Agents, ASPECT } from "./agents.ts";
import type { KeptView, OnChange } from "./kept-view.ts";
import type { Slot } from "./ordered-set.ts";
import type { ViewLimits } from "./view-limits.ts";

/**
 * Views that are kept current: those that a change concerns are told of it. The one that was not used for longest goes
 * when there are too many.
 */
export class KeptViews {
  readonly #agents: Agents;
  readonly #limits: ViewLimits;
  readonly #views = new Map<string, KeptView>();
  readonly #byCapability = new Map<number, Set<KeptView>>();
  /** Those whose filter names no capability. */
  readonly #wide = new Set<KeptView>();
  /** Those that were made for one answer, the oldest first. */
  readonly #brief = new Set<KeptView>();
  readonly #concerned: KeptView[] = [];
  /** By filter, who follows it. */
  readonly #followed = new Map<string, OnChange>();
  #uses = 0;
  #changes = 0;
  /** Changes that views were told of, picks among them. */
  #told = 0;

  constructor(agents: Agents, limits: ViewLimits) {
    this.#agents = agents;
    this.#limits = limits;
  }

  get size(): number {
    return this.#views.size;
  }

  /** How often the market has changed in what filters look at. */
  get changes(): number {
    return this.#changes;
  }

  /** Entries of all views. */
  get entries(): number {
    let entries = 0;
    for (const view of this.#views.values()) entries += view.entries;
    return entries;
  }

  /** The view of a name, if it is kept. */
  get(key: string): KeptView | undefined {
    return this.#views.get(key);
  }

  /** Says that a view is used for an answer. */
  use(view: KeptView): KeptView {
    this.#uses += 1;
    view.usedAt = this.#uses;
    view.uses += 1;
    if (view.uses > 1) this.#brief.delete(view);
    return view;
  }

  /**
   * Tells of what changes in the view of a filter, which nobody else follows, and keeps that view as long as there is
   * room for others beside it. Returns what ends it; undefined when too much is followed.
   */
  follow(key: string, onChange: OnChange): (() => void) | undefined {
    if (this.#followed.size >= this.#limits.followedMax) return undefined;
    let entries = 0;
    for (const other of this.#followed.keys()) entries += this.#views.get(other)?.entries ?? 0;
    if (entries > this.#limits.entriesMax(this.#agents.size) / 2) return undefined;
    this.#followed.set(key, onChange);
    const kept = this.#views.get(key);
    if (kept !== undefined) {
      kept.onChange = onChange;
      this.#brief.delete(kept);
    }
    return () => {
      this.#followed.delete(key);
      const known = this.#views.get(key);
      if (known !== undefined) known.onChange = undefined;
    };
  }

  /** Keeps a view; for a while only, if `isBrief`, unless it is used more than once. */
  keep(view: KeptView, isBrief = false): void {
    this.#uses += 1;
    view.usedAt = this.#uses;
    this.#views.set(view.key, view);
    view.onChange = this.#followed.get(view.key);
    for (const views of this.#setsOf(view)) views.add(view);
    this.#makeRoom(view);
    if (!isBrief || view.onChange !== undefined) return;
    this.#brief.add(view);
    for (const oldest of this.#brief) {
      if (this.#brief.size <= this.#limits.briefMax) return;
      if (oldest.pins === 0 && oldest !== view) this.#drop(oldest);
    }
  }

  /** Writes a change of a known agent; the views that look at one of these aspects follow. */
  change(slot: Slot, aspects: number, write: () => void): void {
    const concerned = this.#concernedBy(slot, aspects);
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
    for (const view of this.#concernedBy(slot, ASPECT.ALL)) view.enter(slot);
  }

  /** Takes an agent out that is still there. */
  leave(slot: Slot): void {
    for (const view of this.#concernedBy(slot, ASPECT.ALL)) view.leave(slot);
  }

  /** Drops all views: made anew they cost less than to be told of very many changes. */
  clear(): void {
    this.#changes += 1;
    for (const view of this.#views.values()) this.#drop(view);
  }

  /** The views that a change is told of, which begins here. */
  #concernedBy(slot: Slot, aspects: number): readonly KeptView[] {
    // Picks are as many as calls, and nobody passes or fails for them.
    if (aspects !== ASPECT.PICKS) this.#changes += 1;
    this.#told += 1;
    this.#concerned.length = 0;
    this.#gather(slot, aspects);
    return this.#concerned;
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
      if ((view.aspects & aspects) === 0 || view.toldIn === this.#told) continue;
      view.toldIn = this.#told;
      this.#concerned.push(view);
    }
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
    this.#brief.delete(view);
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
