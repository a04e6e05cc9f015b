import type { Filter } from "../filter.ts";
import { PPM } from "../reliability.ts";

/** No list price is above this. */
const ANY_PRICE = 2n ** 53n;
/** Bounds are widened to the next of so many steps between a number and twice that number. */
const STEPS = 8;
/** And bounds of the reliability to one of so many steps from 0 to 1. */
const RELIABILITY_STEPS = 50;

/**
 * Wider filters that let all pass whom this one lets pass, the narrowest first; none when it is as wide itself. The
 * first has rounded bounds: filters whose bounds are another in each call share few of these. The next has no bounds,
 * the last no labels and words either. Prices stay within the currency.
 */
export function basesOf(filter: Filter): readonly Filter[] {
  const bases: Filter[] = [];
  let { maxCost } = filter;
  if (isBound(filter)) {
    const rounded = roundedOf(filter);
    if (rounded !== undefined) bases.push(rounded);
    maxCost &&= { ...maxCost, micros: ANY_PRICE };
    bases.push({ ...filter, maxCost, minReliabilityPpm: undefined, maxLatencyMs: undefined });
  }
  if (isMarked(filter)) bases.push({ ...(bases.at(-1) ?? filter), labels: {}, words: [] });
  return bases;
}

/** What a filter asks beyond one of its bases. */
export function residueOf(filter: Filter, base: Filter): Filter {
  const isMarkedBase = isMarked(base);
  return {
    ...filter,
    maxCost: isPriced(filter) ? filter.maxCost : undefined,
    labels: isMarkedBase ? {} : filter.labels,
    words: isMarkedBase ? [] : filter.words,
    states: undefined,
    endpointScheme: undefined,
  };
}

/** Whether a filter has bounds. */
export function isBound(filter: Filter): boolean {
  const { minReliabilityPpm, maxLatencyMs } = filter;
  return isPriced(filter) || minReliabilityPpm !== undefined || maxLatencyMs !== undefined;
}

function isPriced({ maxCost }: Filter): boolean {
  return maxCost !== undefined && maxCost.micros < ANY_PRICE;
}

function isMarked({ labels, words }: Filter): boolean {
  for (const _name in labels) return true;
  return words.length > 0;
}

/** With wider bounds, of which there are few; undefined when its own are among them. */
function roundedOf(filter: Filter): Filter | undefined {
  const { maxCost, minReliabilityPpm, maxLatencyMs } = filter;
  const micros = maxCost && widened(Number(maxCost.micros));
  const latencyMs = maxLatencyMs && widened(maxLatencyMs);
  const step = PPM / RELIABILITY_STEPS;
  const ppm = minReliabilityPpm && Math.floor(minReliabilityPpm / step) * step;
  const isOwn =
    micros === (maxCost && Number(maxCost.micros)) &&
    latencyMs === maxLatencyMs &&
    ppm === minReliabilityPpm;
  if (isOwn) return undefined;
  return {
    ...filter,
    maxCost: maxCost && { ...maxCost, micros: BigInt(micros ?? 0) },
    maxLatencyMs: latencyMs,
    minReliabilityPpm: ppm,
  };
}

/** The next number up, or the same, that is one of few; a whole number, above 2^53 only where the number is. */
function widened(bound: number): number {
  if (bound <= STEPS) return Math.ceil(bound);
  const step = 2 ** Math.floor(Math.log2(bound)) / STEPS;
  return Math.ceil(bound / step) * step;
}
