/** How often something may happen that honest peers do seldom: so many times at once, and so many per second. */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #sinceMs = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Whether it may happen once more; if so, it has. */
  take(): boolean {
    if (this.#left < 1) {
      const nowMs = performance.now();
      const earned = ((nowMs - this.#sinceMs) * this.#perSecond) / 1_000;
      this.#left = Math.min(this.#burst, this.#left + earned);
      this.#sinceMs = nowMs;
      if (this.#left < 1) return false;
    }
    this.#left -= 1;
    return true;
  }
}
