import type { Later } from "./maker.ts";
import type { Pick, Picks } from "./picks.ts";

/** How many picks leave the window at one look, which is more than a call adds. */
const LOOK_MAX = 8;
/** How many leave together between calls, as long as a pause has left some. */
const SLICE_MAX = 256;

/** Lets picks leave their window, so that nobody who looks waits for very many of them. */
export class Expiry {
  readonly #picks: Picks;
  readonly #now: () => Date;
  readonly #later: Later;
  readonly #onExpired: (pick: Pick) => void;
  #isAwaited = false;

  constructor(
    picks: Picks,
    { now, later }: { readonly now: () => Date; readonly later: Later },
    onExpired: (pick: Pick) => void,
  ) {
    this.#picks = picks;
    this.#now = now;
    this.#later = later;
    this.#onExpired = onExpired;
  }

  /** Takes a few out that have left the window by `nowMs`, and the others in slices, later. */
  look(nowMs: number): void {
    this.#expire(nowMs, LOOK_MAX);
  }

  #expire(nowMs: number, most: number): void {
    for (let count = 0; count < most; count += 1) {
      const pick = this.#picks.expire(nowMs);
      if (pick === undefined) return;
      this.#onExpired(pick);
    }
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#later(() => {
      this.#isAwaited = false;
      this.#expire(this.#now().getTime(), SLICE_MAX);
    });
  }
}
