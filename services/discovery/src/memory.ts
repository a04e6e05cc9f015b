import { digestOf, type Rotation } from "./rotation.ts";

/** Cursors by key, of which so many are kept. */
export interface Cursors {
  get(key: string): string | undefined;
  set(key: string, cursor: string): void;
}

/** Keeps the cursors in memory; beyond `mostKeys` the one that was not moved for longest is forgotten. */
export function createCursors(mostKeys = 10_000): Cursors {
  const cursors = new Map<string, string>();
  return {
    get: (key) => cursors.get(key),
    set(key, cursor) {
      // Deleted first, so that the map is in the order of use.
      cursors.delete(key);
      cursors.set(key, cursor);
      if (cursors.size <= mostKeys) return;
      const [oldest] = cursors.keys();
      if (oldest !== undefined) cursors.delete(oldest);
    },
  };
}

/** A rotation of one process. */
export function createMemoryRotation(cursors: Cursors = createCursors()): Rotation {
  const kept = (key: string): string => (key.length <= KEY_LENGTH_MAX ? key : digestOf(key));
  return {
    async turn(key, step) {
      const name = kept(key);
      const cursor = step(cursors.get(name));
      if (cursor !== undefined) cursors.set(name, cursor);
      return { cursor, alone: false };
    },
    peek: async (key) => ({ cursor: cursors.get(kept(key)), alone: false }),
  };
}

/** Longer keys are kept as their digest: a filter can be as long as its caller likes. */
const KEY_LENGTH_MAX = 200;
