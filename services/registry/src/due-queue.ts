/** Keys by the time when something about them is due. */
export interface DueQueue {
  /** Makes a key due at a time; one that is waiting for an earlier time stays there. */
  put(key: string, atMs: number): void;
  /** Takes out the keys that are due, the earliest first. Whoever is due later by now is to be put again. */
  takeDue(nowMs: number): readonly string[];
}

interface Item {
  readonly key: string;
  readonly atMs: number;
}

/** An empty queue: a heap, so that looking costs what is due and not what waits. A key stands in it a few times. */
export function createDueQueue(): DueQueue {
  const heap: Item[] = [];
  const waiting = new Map<string, number>();

  function rise(item: Item): void {
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Item;
      if (above.atMs <= item.atMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  function takeFirst(): Item {
    const first = heap[0] as Item;
    const last = heap.pop() as Item;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && atMsOf(child + 1) < atMsOf(child)) child++;
      if (atMsOf(child) >= last.atMs) break;
      heap[at] = heap[child] as Item;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  const atMsOf = (index: number) => (heap[index] as Item).atMs;
  return {
    put(key, atMs) {
      const waits = waiting.get(key);
      if (waits !== undefined && waits <= atMs) return;
      waiting.set(key, atMs);
      rise({ key, atMs });
    },
    takeDue(nowMs) {
      const due: string[] = [];
      while (heap.length > 0 && atMsOf(0) <= nowMs) {
        const { key, atMs } = takeFirst();
        // Put again for an earlier time, it was taken out then.
        if (waiting.get(key) !== atMs) continue;
        waiting.delete(key);
        due.push(key);
      }
      return due;
    },
  };
}
