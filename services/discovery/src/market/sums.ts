/** Sums of counts, as a Fenwick tree from 1: what a rank costs does not grow with how many counts there are. */
export class Sums {
  /** How much the counts before the last one that was found sum to. */
  found = 0;
  #nodes = new Int32Array(1);
  #length = 0;

  /** Begins anew with these counts. */
  reset(counts: readonly number[]): void {
    this.#length = counts.length;
    const end = counts.length + 1;
    if (this.#nodes.length < end) this.#nodes = new Int32Array(2 ** Math.ceil(Math.log2(end)));
    this.#nodes.fill(0);
    for (let node = 1; node < end; node += 1) {
      const sum = (this.#nodes[node] as number) + (counts[node - 1] as number);
      this.#nodes[node] = sum;
      const parent = node + (node & -node);
      if (parent < end) this.#nodes[parent] = (this.#nodes[parent] as number) + sum;
    }
  }

  /** Changes the count at an index. */
  add(index: number, change: number): void {
    for (let node = index + 1; node <= this.#length; node += node & -node) {
      this.#nodes[node] = (this.#nodes[node] as number) + change;
    }
  }

  /** What the counts before an index sum to. */
  before(index: number): number {
    let sum = 0;
    for (let node = index; node > 0; node -= node & -node) sum += this.#nodes[node] as number;
    return sum;
  }

  /** The index of the count that holds a rank, from 0 to below the sum of all; leaves in `found` what is before it. */
  find(rank: number): number {
    let index = 0;
    let before = 0;
    for (let step = highestBit(this.#length); step > 0; step >>= 1) {
      const node = index + step;
      if (node > this.#length) continue;
      const sum = this.#nodes[node] as number;
      if (before + sum > rank) continue;
      index = node;
      before += sum;
    }
    this.found = before;
    return index;
  }
}

function highestBit(count: number): number {
  return count === 0 ? 0 : 2 ** (31 - Math.clz32(count));
}
