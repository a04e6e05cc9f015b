/** Those who want to hear of changes of a store. */
export interface Listeners<T> {
  tell(change: T): void;
  /** Returns what ends it. */
  subscribe(listener: (change: T) => void): () => void;
}

/** Nobody listens. */
export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<(change: T) => void>();
  return {
    tell(change) {
      for (const listener of listeners) listener(change);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
