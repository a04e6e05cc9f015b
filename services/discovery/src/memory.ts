import type { Rotation } from "./rotation.ts";

/** A rotation of one process, which also tells and takes cursors. */
export interface MemoryRotation extends Rotation {
  cursorOf(key: string): string | undefined;
  moveTo(key: string, cursor: string): void;
}

/** Keeps the cursors in memory; beyond `mostKeys` the one that was not used for longest is forgotten. */
export function createMemoryRotation(mostKeys = 10_000): MemoryRotation {
  const cursors = new Map<string, string>();

  function moveTo(key: string, cursor: string): void {
    // Deleted first, so that the map is in the order of use.
    cursors.delete(key);
    cursors.set(key, cursor);
    if (cursors.size <= mostKeys) return;
    const [oldest] = cursors.keys();
    if (oldest !== undefined) cursors.delete(oldest);
  }

  return {
    cursorOf: (key) => cursors.get(key),
    moveTo,
    async turn(key, step) {
      const cursor = step(cursors.get(key));
      moveTo(key, cursor);
      return { cursor, alone: false };
    },
  };
}
