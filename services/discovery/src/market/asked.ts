import type { ViewLimits } from "./view-limits.ts";

/** Filters that were asked of late. */
export class Asked {
  readonly #limits: Pick<ViewLimits, "againMs" | "askedMax">;
  /**
   * When each was asked: the latest, and those before. They are let go of as a whole: a map of which each call takes
   * the oldest out goes through many that are gone to find the next, which was a twentieth of a pick.
   */
  #latest = new Map<string, number>();
  #earlier = new Map<string, number>();

  constructor(limits: Pick<ViewLimits, "againMs" | "askedMax">) {
    this.#limits = limits;
  }

  /** Remembers that a filter is asked; answers whether it was asked a short while ago. */
  isAgain(key: string, nowMs: number): boolean {
    const askedMs = this.#latest.get(key) ?? this.#earlier.get(key);
    if (askedMs !== undefined && Math.abs(nowMs - askedMs) <= this.#limits.againMs) {
      this.#latest.delete(key);
      this.#earlier.delete(key);
      return true;
    }
    this.#latest.set(key, nowMs);
    if (this.#latest.size > this.#limits.askedMax / 2) {
      this.#earlier = this.#latest;
      this.#latest = new Map();
    }
    return false;
  }
}
