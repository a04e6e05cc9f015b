import { type Filter, filterKey } from "../filter.ts";
import type { Ability } from "./ability.ts";
import { type Agents, ASPECT } from "./agents.ts";
import { Asked } from "./asked.ts";
import { basesOf, isBound } from "./bases.ts";
import { candidates, type Holders, mayBeAble, mostHolders } from "./candidates.ts";
import { Condition } from "./condition.ts";
import { type Counts, countAll, countSome } from "./counts.ts";
import { KeptView, type OnChange } from "./kept-view.ts";
import { KeptViews } from "./kept-views.ts";
import { type Later, Maker, type Making } from "./maker.ts";
import { type Found, SlicedSift } from "./making.ts";
import { Members } from "./members.ts";
import { narrow } from "./narrow.ts";
import type { Slot } from "./ordered-set.ts";
import { ResidualView } from "./residual-view.ts";
import { Samples } from "./samples.ts";
import { sift } from "./sift.ts";
import { SiftedView } from "./sifted-view.ts";
import { OrderWanted, type View, ViewWanted, type Wanted, type WholeView } from "./view.ts";
import type { ViewLimits } from "./view-limits.ts";

/** For each answer so many agents may be looked at to make views for later: a twentieth of what it costs. */
const CREDIT = 64;

/** Views that are kept and wider than a filter, the narrowest first, and what is to be made if these will not do. */
interface Bases {
  readonly bases: readonly KeptView[];
  readonly wanted: Filter;
}

/**
 * The views of a market. Few agents are sifted for each answer, unless a filter is asked again soon: then it gets a
 * view that is kept current. Among many a filter is answered from a wider view that is kept, the narrowest there is; if
 * there is none, the widest is made first, in slices.
 */
export class Views {
  readonly #agents: Agents;
  readonly #holders: Holders;
  readonly #limits: ViewLimits;
  readonly #kept: KeptViews;
  readonly #asked: Asked;
  readonly #maker: Maker;
  readonly #samples: Samples;
  readonly #make = (making: Making): void => void this.#maker.make(making);
  #credit = 0;
  /** Whether it is the same call that asks again, and no other. */
  #isRetried = false;

  constructor(agents: Agents, holders: Holders, later: Later, limits: ViewLimits) {
    this.#agents = agents;
    this.#holders = holders;
    this.#limits = limits;
    this.#kept = new KeptViews(agents, limits);
    this.#asked = new Asked(limits);
    this.#maker = new Maker({ later, sliceMax: limits.sliceMax });
    this.#samples = new Samples(agents, holders);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Entries of all views. */
  get entries(): number {
    return this.#kept.entries;
  }

  /** Who passes a filter. @throws Wanted */
  of(filter: Filter, nowMs: number): View {
    const key = filterKey(filter);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return this.#kept.use(kept);
    const wider = basesOf(filter);
    const { bases, wanted } = this.#basesOf(filter, wider);
    const [base] = bases;
    if (this.#isFew(filter, base)) return this.#atOnce(key, filter, base, nowMs);
    if (base === undefined) throw new ViewWanted(wider.at(-1) ?? filter);
    for (const each of bases) this.#kept.use(each);
    this.#credit = Math.min(this.#credit + CREDIT, 2 * this.#agents.size);
    this.#foresee(filter, base, nowMs);
    for (const each of wider) {
      if (filterKey(each) === base.key) break;
      // Rounded bounds are made where nothing else helps.
      if (!isBound(each)) this.#foresee(each, base, nowMs);
    }
    const view = this.#residual(key, filter, { bases, wanted });
    return narrow(view, this.#agents) ?? view;
  }

  /** Looks again for a call whose view has been made: a filter that is asked again is another call's. */
  retry<T>(work: () => T): T {
    this.#isRetried = true;
    try {
      return work();
    } finally {
      this.#isRetried = false;
    }
  }

  /** The same as a whole; `isCounted`: also who is kept out by what must be known. @throws ViewWanted */
  whole(filter: Filter, isCounted: boolean, nowMs: number): WholeView {
    const key = filterKey(filter);
    const kept = this.#kept.get(key);
    if (isCounted && kept?.faults === undefined && !this.#isFew(filter)) {
      throw new ViewWanted(filter, true);
    }
    if (kept !== undefined) return this.#kept.use(kept);
    const [base] = this.#basesOf(filter).bases;
    if (!this.#isFew(filter, base)) throw new ViewWanted(filter);
    return this.#atOnce(key, filter, base, nowMs);
  }

  /** See `KeptViews.follow`. */
  follow(filter: Filter, onChange: OnChange): (() => void) | undefined {
    return this.#kept.follow(filterKey(filter), onChange);
  }

  /** Who passes a filter that is followed. @throws ViewWanted */
  followed(filter: Filter): WholeView {
    const kept = this.#kept.get(filterKey(filter));
    if (kept !== undefined) return this.#kept.use(kept);
    if (!this.#isFew(filter)) throw new ViewWanted(filter);
    return this.#keep(filter);
  }

  /** A view as it is now, which was asked for a while ago. @throws Wanted */
  renew(view: WholeView): WholeView;
  renew(view: View): View;
  renew(view: View): View {
    const kept = this.#kept.get(view.key);
    if (kept !== undefined) return kept;
    const { changes } = this.#kept;
    if (view instanceof SiftedView && view.madeIn === changes) return view;
    const found = this.#basesOf(view.filter);
    const [base] = found.bases;
    if (this.#isFew(view.filter, base)) return this.#sift(view.key, view.filter, base);
    if (base === undefined) throw new ViewWanted(view.filter);
    const residual = this.#residual(view.key, view.filter, found);
    const narrowed = narrow(residual, this.#agents);
    if (narrowed !== undefined) return narrowed;
    if (view instanceof ResidualView) return residual;
    throw new ViewWanted(view.filter);
  }

  /** Makes what is wanted, in slices. A view is there until what is answered is disposed of. */
  async make(wanted: Wanted): Promise<Disposable | undefined> {
    if (wanted instanceof OrderWanted) await this.#maker.make(wanted.making);
    if (!(wanted instanceof ViewWanted)) return undefined;
    await this.#maker.make(this.#sifting(wanted.filter, wanted.counted, true));
    return this.#kept.get(filterKey(wanted.filter))?.pin();
  }

  /** Counts who is kept out of a view by what; where nobody passes and many have the capabilities, by a sample. */
  counts(view: View, excluded: ReadonlySet<Slot>): Counts {
    const { filter, size: passing } = view;
    const kept = view instanceof KeptView ? view : undefined;
    if (kept?.faults !== undefined || this.#isFew(filter)) {
      const { faults, counts } = countAll(this.#agents, this.#holders, {
        filter,
        excluded,
        passing,
        faults: kept?.faults,
      });
      if (kept !== undefined) kept.faults = faults;
      return counts;
    }
    if (kept === undefined || excluded.size > 0) return this.#countSome(filter, excluded);
    kept.estimate ??= this.#countSome(filter, excluded);
    return { ...kept.estimate };
  }

  /** Writes a change of a known agent; the views that look at one of these aspects follow. */
  change(slot: Slot, aspects: number, write: () => void): void {
    this.#maker.touch(slot, aspects);
    this.#kept.change(slot, aspects, write);
  }

  /** Lets the views see a newcomer that is written. */
  enter(slot: Slot): void {
    this.#maker.touch(slot, ASPECT.ALL);
    this.#kept.enter(slot);
  }

  /** Takes an agent out that is still there. */
  leave(slot: Slot): void {
    this.#maker.touch(slot, ASPECT.ALL);
    this.#kept.leave(slot);
  }

  /** Drops all views: made anew they cost less than to be told of very many changes. */
  clear(): void {
    this.#kept.clear();
    this.#samples.clear();
    this.#maker.restart();
  }

  /** The views that are kept and wider than a filter, the narrowest first, and what is narrower than these. */
  #basesOf(filter: Filter, wider: readonly Filter[] = basesOf(filter)): Bases {
    const bases: KeptView[] = [];
    let wanted = filter;
    for (const each of wider) {
      const base = this.#kept.get(filterKey(each));
      if (base !== undefined) bases.push(base);
      else if (bases.length === 0) wanted = each;
    }
    return { bases, wanted };
  }

  #residual(key: string, filter: Filter, { bases, wanted }: Bases): ResidualView {
    const { looksMax } = this.#limits;
    const names = { key, filter, madeIn: this.#kept.changes, wanted, looksMax };
    return new ResidualView(names, this.#agents, bases);
  }

  /** Whether those who may pass, of a view or of all, can be looked at at once. */
  #isFew(filter: Filter, base?: KeptView): boolean {
    const most = base?.size ?? mostHolders(this.#agents, this.#holders, filter);
    return most <= this.#limits.atOnceMax;
  }

  #atOnce(key: string, filter: Filter, base: KeptView | undefined, nowMs: number): WholeView {
    return this.#isAskedAgain(key, nowMs)
      ? this.#keep(filter, base)
      : this.#sift(key, filter, base);
  }

  #keep(filter: Filter, base?: KeptView): KeptView {
    const condition = new Condition(this.#agents, filter);
    const { eligible } = sift(this.#candidates(condition, base), condition);
    const members = new Members(this.#agents, condition);
    for (const slot of eligible) members.append(slot);
    return this.#kept.use(this.#enter(filter, { condition, members }));
  }

  #sift(key: string, filter: Filter, base?: KeptView): SiftedView {
    const condition = new Condition(this.#agents, filter);
    const { eligible } = sift(this.#candidates(condition, base), condition);
    condition.release();
    const named = { key, filter, madeIn: this.#kept.changes };
    return new SiftedView(named, this.#agents, condition.ability, eligible);
  }

  #countSome(filter: Filter, excluded: ReadonlySet<Slot>): Counts {
    const { changes } = this.#kept;
    const sampleOf = (wanted: Filter, ability: Ability) =>
      this.#samples.of(wanted, ability, changes);
    return countSome(this.#agents, sampleOf, { filter, excluded });
  }

  #candidates({ ability }: Condition, base: KeptView | undefined): Int32Array {
    return base?.toArray() ?? candidates(this.#agents, this.#holders, ability);
  }

  /** Has a view made for later, once it was asked for again and enough was answered meanwhile. */
  #foresee(filter: Filter, base: KeptView, nowMs: number): void {
    const key = filterKey(filter);
    if (!this.#isAskedAgain(key, nowMs) || this.#credit < base.size || !this.#maker.isIdle) return;
    this.#credit -= base.size;
    void this.#maker.make(this.#sifting(filter, false, false));
  }

  /** Finds a view; `isBrief`: for one answer, as far as is known. */
  #sifting(filter: Filter, isCounted: boolean, isBrief: boolean): SlicedSift {
    const key = filterKey(filter);
    return new SlicedSift(this.#agents, {
      key: `${isCounted ? "counted" : "view"} ${key}`,
      filter,
      source: ({ ability }) => {
        if (!isCounted && this.#kept.get(key) !== undefined) return undefined;
        const [base] = isCounted ? [] : this.#basesOf(filter).bases;
        return {
          slots: base?.toArray() ?? mayBeAble(this.#agents, this.#holders, ability),
          isWhole: base === undefined,
        };
      },
      found: ({ condition, members, faults }) => {
        let view = this.#kept.get(key);
        if (view === undefined) view = this.#enter(filter, { condition, members }, isBrief);
        else condition.release();
        view.faults = faults ?? view.faults;
      },
    });
  }

  #enter(
    filter: Filter,
    { condition, members }: Pick<Found, "condition" | "members">,
    isBrief = false,
  ): KeptView {
    const names = { key: filterKey(filter), filter, limits: this.#limits, make: this.#make };
    const view = new KeptView(names, this.#agents, condition, members);
    this.#kept.keep(view, isBrief);
    return view;
  }

  #isAskedAgain(key: string, nowMs: number): boolean {
    return !this.#isRetried && this.#asked.isAgain(key, nowMs);
  }
}
