import type { Agents } from "./agents.ts";
import { type Making, SlicedSift } from "./making.ts";
import type { Slot } from "./ordered-set.ts";

/** Does work once other work has had its turn. */
export type Later = (work: () => void) => void;

/** A making in the queue. */
interface Job {
  readonly making: Making;
  readonly done: PromiseWithResolvers<void>;
  sift: SlicedSift | undefined;
}

/** Makes views one after the other, in slices, in the order in which they are asked for. */
export class Maker {
  readonly #agents: Agents;
  readonly #sliceMax: number;
  readonly #later: Later;
  readonly #made: (making: Making, sift: SlicedSift) => void;
  readonly #queue: Job[] = [];

  /** `made` is told of each sift that is done, and owns its condition from then on. */
  constructor(
    agents: Agents,
    { later, sliceMax }: { readonly later: Later; readonly sliceMax: number },
    made: (making: Making, sift: SlicedSift) => void,
  ) {
    this.#agents = agents;
    this.#sliceMax = sliceMax;
    this.#later = later;
    this.#made = made;
  }

  /** Whether nothing is being made. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Makes something, or goes on with the same that was asked for already; settles when it is made. */
  make(making: Making): Promise<void> {
    const known = this.#queue.find(
      (job) => job.making.key === making.key && job.making.isCounted >= making.isCounted,
    );
    if (known !== undefined) return known.done.promise;
    const job: Job = { making, done: Promise.withResolvers(), sift: undefined };
    this.#queue.push(job);
    if (this.#queue.length === 1) this.#later(() => this.#step());
    return job.done.promise;
  }

  /** Says that an agent is about to change in some aspects, or that it comes or goes. */
  touch(slot: Slot, aspects: number): void {
    const sift = this.#queue[0]?.sift;
    if (sift !== undefined && (sift.condition.aspects & aspects) !== 0) sift.touch(slot);
  }

  /** Says that very many agents change at once. */
  restart(): void {
    this.#queue[0]?.sift?.restart();
  }

  #step(): void {
    const [job] = this.#queue;
    if (job === undefined) return;
    try {
      job.sift ??= new SlicedSift(this.#agents, job.making);
      if (job.sift.step(this.#sliceMax)) {
        this.#queue.shift();
        this.#made(job.making, job.sift);
        job.done.resolve();
      }
    } catch (error) {
      this.#queue.shift();
      job.done.reject(error);
    }
    if (this.#queue.length > 0) this.#later(() => this.#step());
  }
}
