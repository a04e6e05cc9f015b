/** Several readings may be under way at once, so that one that is slow does not hold up the others. */
const UNDER_WAY_MAX = 4;

/**
 * Reads one value at a time, in few readings of many: what is asked for while readings are under way goes into the
 * next. Each value is read after it was asked for. A reading that fails fails for all that it was for.
 */
export function gather<V>(
  readAll: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
  atOnce: number,
): (key: string) => Promise<V | undefined> {
  let waiting: { readonly key: string; readonly done: PromiseWithResolvers<V | undefined> }[] = [];
  let underWay = 0;

  async function read(): Promise<void> {
    underWay++;
    while (waiting.length > 0) {
      const taken = waiting.slice(0, atOnce);
      waiting = waiting.slice(atOnce);
      try {
        const values = await readAll([...new Set(taken.map(({ key }) => key))]);
        for (const { key, done } of taken) done.resolve(values.get(key));
      } catch (error) {
        for (const { done } of taken) done.reject(error);
      }
    }
    underWay--;
  }

  return (key) => {
    const done = Promise.withResolvers<V | undefined>();
    waiting.push({ key, done });
    if (underWay < UNDER_WAY_MAX) void read();
    return done.promise;
  };
}
