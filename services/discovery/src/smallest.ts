/** Orders two things: negative when `a` comes first. */
export type Compare<T> = (a: T, b: T) => number;

/** The first `count` of some things, at least one, looking no further than these. */
export function first<T>(things: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const thing of things) {
    taken.push(thing);
    if (taken.length === count) break;
  }
  return taken;
}

/** The first `count` of some things in an order, without sorting them all; equals keep the order of their arrival. */
export function smallest<T>(things: Iterable<T>, count: number, compare: Compare<T>): T[] {
  const kept: T[] = [];
  if (count <= 0) return kept;
  for (const thing of things) {
    const last = kept[count - 1];
    if (last !== undefined && compare(thing, last) >= 0) continue;
    kept.splice(placeOf(kept, thing, compare), 0, thing);
    if (kept.length > count) kept.pop();
  }
  return kept;
}

function placeOf<T>(sorted: readonly T[], thing: T, compare: Compare<T>): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(thing, sorted[middle] as T) < 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first by the first comparison that tells them apart. */
export function byTurns<T>(...compares: readonly Compare<T>[]): Compare<T> {
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}
