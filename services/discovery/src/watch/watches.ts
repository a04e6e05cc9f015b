import { type Filter, filterKey } from "../filter.ts";
import { isSameLineup, type Lineup, lineUp } from "../lineup.ts";
import { ASPECT } from "../market/agents.ts";
import type { Market } from "../market/market.ts";
import type { Slot } from "../market/ordered-set.ts";
import { ASPECTS_OF } from "../market/orders.ts";
import { Wanted, type WholeView } from "../market/view.ts";
import { tooManyWatches } from "../rejections.ts";
import type { Trials } from "../trial.ts";
import type { Wire } from "../wire.ts";
import { type Group, type List, newList } from "./list.ts";
import { Seat } from "./seat.ts";
import { Trying } from "./trying.ts";

/** What watching needs. */
export interface WatchParts {
  readonly market: Market;
  /** Writes a list as a message. */
  readonly write: (slots: readonly Slot[], view: WholeView, start: string) => Wire;
  /** Writes what stands beside a list: whom to try. */
  readonly writeTrial: (slot: Slot) => Wire;
  readonly trials: Trials;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** What a stream asks for; `start` "" lets its place be chosen. */
export interface Watch extends Lineup {
  readonly filter: Filter;
}

/** Lists are looked at so often. */
const LOOK_MS = 100;
/** They are made for so long at most, then after such a pause: who picks does not wait for all who watch. */
const WORK_MS_MAX = 4;
const PAUSE_MS = 20;
/** After so many looks agents are ordered by load anew, and those whose breaker is half open given out. */
const LOOKS_A_RANKING = 50;
const LOOKS_A_TRIAL = 10;
const LOADS = ASPECT.LOAD | ASPECT.PICKS;
/** The golden section: places that go on by it are spread evenly however many there are. */
const GOLDEN = 0.618_033_988_749_895;

/**
 * The lists that callers follow. A change of an agent marks the filters that it concerns, and ten times a second the
 * lists of these are made anew; who follows the same list is told the same message. Nothing waits for a reader.
 */
export class Watches {
  readonly #parts: WatchParts;
  readonly #groups = new Map<string, Group>();
  readonly #changed = new Set<Group>();
  readonly #due = new Set<List>();
  readonly #lists = new Map<Seat, List>();
  /** By agent, the lists that name it. */
  readonly #naming = new Map<Slot, Set<List>>();
  readonly #trying: Trying;
  #timer: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #looks = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#trying = new Trying(parts);
  }

  /** How many streams are open. */
  get size(): number {
    return this.#lists.size;
  }

  /**
   * Opens a stream, whose first message is there at once.
   * @throws Rejection TOO_MANY_WATCHES; Wanted
   */
  open({ filter, ...lineup }: Watch): Seat {
    const { market } = this.#parts;
    // Looked at first: who has to wait for it has opened nothing.
    lineUp(market, market.whole(filter), lineup);
    const group = this.#groups.get(filterKey(filter)) ?? this.#follow(filter);
    const view = market.followed(filter);
    const seat = new Seat(() => this.#leave(seat));
    const start = lineup.start === "" ? this.#draw(group, view) : lineup.start;
    this.#join(seat, group, { ...lineup, start }, view);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
    return seat;
  }

  /** Says that what is told of an agent may have changed; a new one may have its slot. */
  touch(slot: Slot): void {
    for (const list of this.#naming.get(slot) ?? []) this.#touch(list);
  }

  /** Says that something else may have changed of what is told. */
  touchAll(): void {
    for (const list of this.#lists.values()) this.#touch(list);
  }

  #touch(list: List): void {
    list.isTouched = true;
    this.#due.add(list);
  }

  /** Lets streams know what has changed, or the first of them; the others a moment later. */
  look(): void {
    this.#parts.market.catchUp();
    this.#looks += 1;
    for (const group of this.#changed) this.#mark(group);
    this.#changed.clear();
    if (this.#looks % LOOKS_A_RANKING === 0) this.#markUneven();
    if (this.#looks % LOOKS_A_TRIAL === 0) this.#trying.begin(this.#groups.values());
    if (this.#pause === undefined) this.#work();
  }

  #work(): void {
    this.#pause = undefined;
    const endMs = performance.now() + WORK_MS_MAX;
    for (const list of this.#due) {
      this.#due.delete(list);
      this.#renew(list);
      if (performance.now() < endMs) continue;
      this.#pause = setTimeout(() => this.#work(), PAUSE_MS).unref();
      return;
    }
  }

  #follow(filter: Filter): Group {
    const stop = this.#parts.market.follow(filter, (aspects) => {
      group.aspects |= aspects;
      this.#changed.add(group);
    });
    if (stop === undefined) throw tooManyWatches();
    const place = this.#parts.random();
    const group: Group = { filter, lists: new Map(), stop, aspects: 0, place };
    this.#groups.set(filterKey(filter), group);
    return group;
  }

  /** Finds which lists a change of the group's view concerns. */
  #mark(group: Group): void {
    const { aspects } = group;
    group.aspects = 0;
    this.#trying.end(group);
    for (const list of group.lists.values()) {
      const own = list.order === undefined ? 0 : ASPECTS_OF[list.order];
      const concerning = aspects & (own | ASPECT.BREAKERS);
      if (aspects === ASPECT.ALL || (concerning & ~LOADS) !== 0) this.#due.add(list);
      if ((concerning & LOADS) !== 0) list.isUneven = true;
    }
  }

  #markUneven(): void {
    for (const { lists } of this.#groups.values()) {
      for (const list of lists.values()) {
        if (!list.isUneven) continue;
        list.isToBeRanked = true;
        this.#due.add(list);
      }
    }
  }

  /** Makes a list anew; later, if what it is made from has to be made first. */
  #renew(list: List): void {
    const { market } = this.#parts;
    try {
      const view = market.followed(list.group.filter);
      this.#renewFrom(list, view, lineUp(market, view, list));
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      void market.make(error).then(() => {
        if (list.group.lists.get(list.key) !== list) return;
        this.#due.add(list);
        this.#pause ??= setTimeout(() => this.#work()).unref();
      });
    }
  }

  #renewFrom(list: List, view: WholeView, best: readonly Slot[]): void {
    // Else all streams that were opened while there were few would stay with these few.
    if (view.size > 2 * list.size || (view.size > 0 && 2 * view.size < list.size)) {
      // First: the new place may be the old one, and a list knows how many there were at its beginning.
      this.#end(list);
      const { group, seats } = list;
      for (const seat of seats)
        this.#join(seat, group, { ...list, start: this.#draw(group, view) }, view);
      return;
    }
    const slots = this.#slotsOf(list, view, best);
    if (!list.isTouched && isSameLineup(slots, list.slots)) return;
    this.#name(list, slots, view);
    for (const seat of list.seats) seat.offer(list.message);
  }

  /** By load an agent keeps its place until all are ordered anew: connections are not made and left with each call. */
  #slotsOf(list: List, view: WholeView, best: readonly Slot[]): readonly Slot[] {
    if (list.order !== "BY_LOAD" || list.isToBeRanked) {
      list.isToBeRanked = false;
      list.isUneven = false;
      return best;
    }
    const { agents } = this.#parts.market;
    const isNamed = (slot: Slot) => view.has(slot) && !agents.breakers.has(slot);
    const slots = list.slots.filter((slot) => isNamed(slot));
    for (const slot of best) {
      if (slots.length === list.count) break;
      if (!slots.includes(slot)) slots.push(slot);
    }
    return slots;
  }

  #name(list: List, slots: readonly Slot[], view: WholeView): void {
    this.#forgetNames(list);
    for (const slot of slots) {
      const lists = this.#naming.get(slot);
      if (lists === undefined) this.#naming.set(slot, new Set([list]));
      else lists.add(list);
    }
    list.slots = slots;
    list.isTouched = false;
    list.message = this.#parts.write(slots, view, list.start);
  }

  #forgetNames(list: List): void {
    for (const slot of list.slots) {
      const lists = this.#naming.get(slot);
      lists?.delete(list);
      if (lists?.size === 0) this.#naming.delete(slot);
    }
  }

  #draw(group: Group, view: WholeView): string {
    group.place = (group.place + GOLDEN) % 1;
    if (view.size === 0) return "";
    const rank = Math.floor(group.place * view.size);
    return this.#parts.market.agents.idOf(view.at((rank + view.size - 1) % view.size));
  }

  #join(seat: Seat, group: Group, { order, count, start }: Lineup, view: WholeView): void {
    const key = `${order ?? ""} ${count} ${start}`;
    let list = group.lists.get(key);
    if (list === undefined) {
      list = newList({ key, group, order, count, start, size: view.size });
      group.lists.set(key, list);
    }
    if (list.slots.length === 0) {
      const best = lineUp(this.#parts.market, view, list);
      this.#name(list, this.#slotsOf(list, view, best), view);
    }
    list.seats.add(seat);
    this.#lists.set(seat, list);
    seat.offer(list.message);
  }

  #part(seat: Seat, list: List): void {
    list.seats.delete(seat);
    if (list.seats.size === 0) this.#end(list);
  }

  #end(list: List): void {
    this.#forgetNames(list);
    this.#due.delete(list);
    list.group.lists.delete(list.key);
  }

  #leave(seat: Seat): void {
    const list = this.#lists.get(seat);
    if (list === undefined) return;
    this.#lists.delete(seat);
    const { group } = list;
    this.#part(seat, list);
    if (group.lists.size === 0) {
      group.stop();
      this.#changed.delete(group);
      this.#groups.delete(filterKey(group.filter));
    }
    this.#trying.leave(group, seat);
    if (this.#lists.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
