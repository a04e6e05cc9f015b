/** The first `count` of some things, at least one, looking no further than these. */
export function first<T>(things: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const thing of things) {
    taken.push(thing);
    if (taken.length === count) break;
  }
  return taken;
}
