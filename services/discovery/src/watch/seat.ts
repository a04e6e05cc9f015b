import type { Wire } from "../wire.ts";

/** Where a stream waits for its next message; of those that it was not quick enough for it gets the latest only. */
export class Seat {
  readonly #onClose: () => void;
  #list: Wire = "";
  #trial: Wire = "";
  #told: Wire | undefined;
  #waiting: ((message: Wire | undefined) => void) | undefined;
  #isClosed = false;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  get isTrying(): boolean {
    return this.#trial !== "";
  }

  /** Says what the list is now. */
  offer(list: Wire): void {
    this.#list = list;
    this.#tell();
  }

  /** Says what stands beside the list: the agent to try, or "" for none. */
  offerTrial(trial: Wire): void {
    this.#trial = trial;
    this.#tell();
  }

  /** The next message that differs from the last one; undefined when the seat is closed. Asked for one at a time. */
  next(): Promise<Wire | undefined> {
    const { promise, resolve } = Promise.withResolvers<Wire | undefined>();
    this.#waiting = resolve;
    if (this.#isClosed) resolve(undefined);
    else this.#tell();
    return promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
    this.#waiting?.(undefined);
  }

  #tell(): void {
    const message = this.#list + this.#trial;
    if (this.#waiting === undefined || message === this.#told) return;
    this.#told = message;
    this.#waiting(message);
    this.#waiting = undefined;
  }
}
