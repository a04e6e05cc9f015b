/** Lets in any number of one kind at once, but never two kinds, in the order in which they come. */
export interface Gate<K> {
  /** Resolves when the caller is in; at once, without a promise, when nobody is in the way. */
  enter(kind: K): Promise<void> | undefined;
  /** To be called once by each who has entered. */
  leave(): void;
}

/** Starts with nobody inside. */
export function createGate<K>(): Gate<K> {
  const waiting: { readonly kind: K; readonly open: () => void }[] = [];
  let within: K | undefined;
  let count = 0;
  return {
    enter(kind) {
      // Nobody overtakes: else one kind could keep the other out for ever.
      if (waiting.length > 0 || (count > 0 && within !== kind)) {
        return new Promise((open) => waiting.push({ kind, open }));
      }
      within = kind;
      count += 1;
      return undefined;
    },
    leave() {
      count -= 1;
      if (count > 0) return;
      within = waiting[0]?.kind;
      const next = waiting.findIndex(({ kind }) => kind !== within);
      const entering = waiting.splice(0, next === -1 ? waiting.length : next);
      count = entering.length;
      for (const { open } of entering) open();
    },
  };
}
