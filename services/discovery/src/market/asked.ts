import type { ViewLimits } from "./view-limits.ts";

/** Filters that were asked of late. */
export class Asked {
  readonly #limits: Pick<ViewLimits, "againMs" | "askedMax">;
  /** When each was asked; the oldest first. */
  readonly #times = new Map<string, number>();

  constructor(limits: Pick<ViewLimits, "againMs" | "askedMax">) {
    this.#limits = limits;
  }

  /** Remembers that a filter is asked; answers whether it was asked a short while ago. */
  isAgain(key: string, nowMs: number): boolean {
    const askedMs = this.#times.get(key);
    this.#times.delete(key);
    if (askedMs !== undefined && Math.abs(nowMs - askedMs) <= this.#limits.againMs) return true;
    this.#times.set(key, nowMs);
    if (this.#times.size > this.#limits.askedMax) {
      const [oldest] = this.#times.keys();
      if (oldest !== undefined) this.#times.delete(oldest);
    }
    return false;
  }
}
