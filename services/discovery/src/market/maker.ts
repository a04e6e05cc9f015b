import type { Slot } from "./ordered-set.ts";

/** Does work once other work has had its turn. */
export type Later = (work: () => void) => void;

/** What is made in slices, between which the market changes. */
export interface Making {
  /** Names it: the same for the same. */
  readonly key: unknown;
  /** Looks at so many agents more, or does as much otherwise; answers whether it is made, and in use then. */
  step(count: number): boolean;
  /** Is told that an agent is about to change in some aspects, or goes, or has come, unless others tell. */
  touch?(slot: Slot, aspects: number): void;
  /** Is told that all views are dropped, since very many agents change at once. */
  restart(): void;
}

/** A making in the queue, and who waits for it. */
interface Job {
  readonly making: Making;
  readonly waiting: PromiseWithResolvers<void>[];
}

/** So many who have waited go on together. */
const TOGETHER_MAX = 64;

/** Makes views and their orders, one after the other, in slices, in the order in which they are asked for. */
export class Maker {
  readonly #sliceMax: number;
  readonly #later: Later;
  readonly #queue: Job[] = [];

  constructor({ later, sliceMax }: { readonly later: Later; readonly sliceMax: number }) {
    this.#sliceMax = sliceMax;
    this.#later = later;
  }

  /** Whether nothing is being made. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Makes something, or goes on with the same that was asked for already; settles when it is made. */
  make(making: Making): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    const known = this.#queue.find((job) => job.making.key === making.key);
    if (known !== undefined) known.waiting.push(waiting);
    else {
      this.#queue.push({ making, waiting: [waiting] });
      if (this.#queue.length === 1) this.#later(() => this.#step());
    }
    return waiting.promise;
  }

  /** Says that an agent is about to change in some aspects, or that it comes or goes. */
  touch(slot: Slot, aspects: number): void {
    // The others have not begun.
    this.#queue[0]?.making.touch?.(slot, aspects);
  }

  /** Says that very many agents change at once, for which all views were dropped. */
  restart(): void {
    for (const { making } of this.#queue) making.restart();
  }

  #step(): void {
    const [job] = this.#queue;
    if (job === undefined) return;
    try {
      if (job.making.step(this.#sliceMax)) {
        this.#queue.shift();
        this.#release(job);
      }
    } catch (error) {
      this.#queue.shift();
      for (const { reject } of job.waiting) reject(error);
    }
    if (this.#queue.length > 0) this.#later(() => this.#step());
  }

  /** Lets those go on who have waited: not all at once, if they are many. */
  #release({ making, waiting }: Job): void {
    for (const { resolve } of waiting.splice(0, TOGETHER_MAX)) resolve();
    if (waiting.length > 0) this.#later(() => this.#release({ making, waiting }));
  }
}
