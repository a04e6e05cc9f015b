import { widened } from "@bourse/roster/widened";
import { type BreakerState, type Listing, type Price, STATE_RANK } from "../listing.ts";
import { UNPROVEN_PPM } from "../reliability.ts";
import { IdOrder } from "./id-order.ts";
import { Lists } from "./lists.ts";
import { Names } from "./names.ts";
import type { Slot } from "./ordered-set.ts";

/** What filters and orders look at in an agent, as bits: a change tells by them whom it concerns. */
export const ASPECT = {
  ABILITY: 1,
  PRICE: 2,
  STATE: 4,
  LOAD: 8,
  CAPACITY: 16,
  LATENCY: 32,
  SCORE: 64,
  LABELS: 128,
  PICKS: 256,
  BREAKERS: 512,
  TEXT: 1_024,
  ALL: 2_047,
} as const;

/** What names of an agent stand in, beside its currency. */
const NAMED = ASPECT.ABILITY | ASPECT.LABELS;

/** A change of an agent that is not written yet. */
export interface Change {
  /** Bits of `ASPECT`: all of them for a newcomer. */
  readonly aspects: number;
  readonly put: () => void;
}

/** A listing as it is written: names are numbers from here on. */
interface Entry {
  readonly state: number;
  readonly currency: number;
  /** Capability and lower bound of the reliability in ppm, in turns. */
  readonly records: readonly number[];
  readonly labels: readonly number[];
  readonly breakers: Breakers | undefined;
}

/** The breakers of an agent that are not closed, by the number of the capability. */
export type Breakers = ReadonlyMap<number, BreakerState>;

/**
 * What is known of all agents: a column per figure, a row per slot, about 200 bytes an agent. `Listing` tells what a
 * field means.
 */
export class Agents {
  readonly capabilities = new Names();
  readonly currencies = new Names();
  readonly labelNames = new Names();
  readonly order = new IdOrder();
  readonly records = new Lists();
  /** Also the schemes of endpoints, see `schemeText`. */
  readonly labels = new Lists();
  readonly words = new Lists();
  /** Of the few agents that have some. */
  readonly breakers = new Map<Slot, Breakers>();
  /** Micros; exact, as the contract keeps them below 2^53. */
  price = new Float64Array(0);
  /** A number of `currencies`, 0 for the unpriced. */
  currency = new Int32Array(0);
  /** Rank of the state that holds now, and of the one that holds as long as the lease does. */
  state = new Uint8Array(0);
  told = new Uint8Array(0);
  leaseEndMs = new Float64Array(0);
  inFlight = new Int32Array(0);
  reportedMs = new Float64Array(0);
  capacity = new Int32Array(0);
  /** Infinity when it promises none. */
  p95Ms = new Float64Array(0);
  scorePpm = new Int32Array(0);
  createdMs = new Float64Array(0);
  /** Picks in the window, and of these those after the agent's report. */
  picks = new Int32Array(0);
  picksSince = new Int32Array(0);
  #room = 0;

  get size(): number {
    return this.order.all.size;
  }

  /** Slots are below this. */
  get room(): number {
    return this.#room;
  }

  has(slot: Slot): boolean {
    return this.order.ids[slot] !== undefined;
  }

  idOf(slot: Slot): string {
    return this.order.idOf(slot);
  }

  /** The slot of an agent that has its place among the ids. */
  slotOf(agentId: string): Slot | undefined {
    const { all } = this.order;
    const rank = all.lowerBound((slot) => this.idOf(slot) < agentId);
    if (rank === all.size) return undefined;
    const slot = all.at(rank);
    return this.idOf(slot) === agentId ? slot : undefined;
  }

  priceOf(slot: Slot): Price | undefined {
    const currency = this.currency[slot] as number;
    if (currency === 0) return undefined;
    const micros = BigInt(this.price[slot] as number);
    return { micros, currency: this.currencies.textOf(currency) };
  }

  /** Tasks that an agent has under way: what it said, and what it was picked for since. */
  loadOf(slot: Slot): number {
    return (this.inFlight[slot] as number) + (this.picksSince[slot] as number);
  }

  /** The numbers of the capabilities of an agent. */
  capabilitiesOf(slot: Slot): number[] {
    const numbers: number[] = [];
    const { numbers: all, start, count } = this.records;
    const from = start[slot] as number;
    const end = from + (count[slot] as number);
    for (let at = from; at < end; at += 2) numbers.push(all[at] as number);
    return numbers;
  }

  /**
   * What an agent, whose state is `state` now, changes for those who look at it; nothing is written until `put`. A
   * newcomer has no place among the ids until `order` is told of it.
   */
  prepare(slot: Slot, listing: Listing, state: number): Change {
    if (slot >= this.#room) this.#grow(slot + 1);
    const isNew = !this.has(slot);
    const known = isNew ? undefined : this.#entryOf(listing, state, false);
    const aspects = known === undefined ? ASPECT.ALL : this.#differences(slot, listing, known);
    return {
      aspects,
      put: () => {
        // Most changes change no name.
        const isNamed = (aspects & NAMED) !== 0 || known?.currency !== this.currency[slot];
        const entry = isNamed || known === undefined ? this.#entryOf(listing, state, true) : known;
        if (isNew) this.order.ids[slot] = listing.agentId;
        else if (isNamed) this.#release(slot);
        this.#put(slot, listing, entry);
      },
    };
  }

  /** Says of each agent when its lease ends. */
  endLeases(endOf: (slot: Slot) => number): void {
    for (let slot = 0; slot < this.#room; slot += 1) {
      if (this.has(slot)) this.leaseEndMs[slot] = endOf(slot);
    }
  }

  /** Forgets an agent. */
  remove(slot: Slot): void {
    this.#release(slot);
    this.records.clear(slot);
    this.labels.clear(slot);
    this.words.clear(slot);
    this.breakers.delete(slot);
    this.order.remove(slot);
  }

  /** A listing in numbers; those of names are held, or else looked up: -1 for one that nobody holds. */
  #entryOf(listing: Listing, state: number, isHeld: boolean): Entry {
    const { price, capabilities, reliabilityPpm, labels, endpointScheme } = listing;
    const records: number[] = [];
    for (const name of capabilities) {
      const bound = reliabilityPpm.get(name) ?? UNPROVEN_PPM;
      records.push(numberOf(this.capabilities, name, isHeld), bound);
    }
    const held: number[] = [];
    for (const [name, value] of labels) {
      held.push(numberOf(this.labelNames, labelText(name, value), isHeld));
    }
    if (endpointScheme !== undefined) {
      held.push(numberOf(this.labelNames, schemeText(endpointScheme), isHeld));
    }
    const currency = price === undefined ? 0 : numberOf(this.currencies, price.currency, isHeld);
    return { state, currency, records, labels: held, breakers: this.#breakersOf(listing) };
  }

  /** The names are those of capabilities that the agent has, and are held as such. */
  #breakersOf({ capabilities, breakers }: Listing): Breakers | undefined {
    if (breakers.size === 0) return undefined;
    const held = new Map<number, BreakerState>();
    for (const name of capabilities) {
      const state = breakers.get(name);
      const number = this.capabilities.find(name);
      if (state !== undefined && number !== undefined) held.set(number, state);
    }
    return held.size === 0 ? undefined : held;
  }

  #release(slot: Slot): void {
    for (const capability of this.capabilitiesOf(slot)) this.capabilities.release(capability);
    for (const label of this.labels.of(slot)) this.labelNames.release(label);
    const currency = this.currency[slot] as number;
    if (currency !== 0) this.currencies.release(currency);
  }

  #differences(slot: Slot, listing: Listing, entry: Entry): number {
    const price = Number(listing.price?.micros ?? 0n);
    const isPriced = this.currency[slot] === entry.currency && this.price[slot] === price;
    const isLoaded =
      this.inFlight[slot] === listing.inFlight &&
      (this.picks[slot] === 0 || this.reportedMs[slot] === listing.reportedMs);
    const isProven = this.records.equals(slot, entry.records);
    const isLabelled = this.labels.equals(slot, entry.labels);
    const isUnbroken = isSame(this.breakers.get(slot), entry.breakers);
    return (
      (isProven ? 0 : ASPECT.ABILITY) |
      (isPriced ? 0 : ASPECT.PRICE) |
      (this.state[slot] === entry.state ? 0 : ASPECT.STATE) |
      (isLoaded ? 0 : ASPECT.LOAD) |
      (this.capacity[slot] === listing.capacityPerHour ? 0 : ASPECT.CAPACITY) |
      (this.p95Ms[slot] === (listing.p95LatencyMs ?? Infinity) ? 0 : ASPECT.LATENCY) |
      (this.scorePpm[slot] === listing.scorePpm ? 0 : ASPECT.SCORE) |
      (isLabelled ? 0 : ASPECT.LABELS) |
      (isUnbroken ? 0 : ASPECT.BREAKERS) |
      (this.words.equals(slot, listing.words) ? 0 : ASPECT.TEXT)
    );
  }

  #put(slot: Slot, listing: Listing, entry: Entry): void {
    const { state, currency, records, labels, breakers } = entry;
    this.records.set(slot, records);
    this.labels.set(slot, labels);
    this.words.set(slot, listing.words);
    if (breakers === undefined) this.breakers.delete(slot);
    else this.breakers.set(slot, breakers);
    this.currency[slot] = currency;
    this.price[slot] = Number(listing.price?.micros ?? 0n);
    this.told[slot] = STATE_RANK[listing.state];
    this.state[slot] = state;
    this.leaseEndMs[slot] = listing.leaseEndMs;
    this.inFlight[slot] = listing.inFlight;
    this.reportedMs[slot] = listing.reportedMs;
    this.capacity[slot] = listing.capacityPerHour;
    this.p95Ms[slot] = listing.p95LatencyMs ?? Infinity;
    this.scorePpm[slot] = listing.scorePpm;
    this.createdMs[slot] = listing.createdMs;
  }

  #grow(slots: number): void {
    const room = Math.max(64, slots, Math.ceil(this.#room * 1.5));
    this.order.grow(room);
    this.records.grow(room);
    this.labels.grow(room);
    this.words.grow(room);
    this.price = widened(this.price, room);
    this.currency = widened(this.currency, room);
    this.state = widened(this.state, room);
    this.told = widened(this.told, room);
    this.leaseEndMs = widened(this.leaseEndMs, room);
    this.inFlight = widened(this.inFlight, room);
    this.reportedMs = widened(this.reportedMs, room);
    this.capacity = widened(this.capacity, room);
    this.p95Ms = widened(this.p95Ms, room);
    this.scorePpm = widened(this.scorePpm, room);
    this.createdMs = widened(this.createdMs, room);
    this.picks = widened(this.picks, room);
    this.picksSince = widened(this.picksSince, room);
    this.#room = room;
  }
}

function numberOf(names: Names, text: string, isHeld: boolean): number {
  return isHeld ? names.hold(text) : (names.find(text) ?? -1);
}

function isSame(one: Breakers | undefined, other: Breakers | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one.size !== other.size) return false;
  for (const [capability, state] of one) if (other.get(capability) !== state) return false;
  return true;
}

/** A label as it is named: no name of a label holds a NUL. */
export function labelText(name: string, value: string): string {
  return `${name}\0${value}`;
}

/** The scheme of an endpoint as a label that nobody else can have. */
export function schemeText(scheme: string): string {
  return labelText("\0", scheme);
}
