/** What is told of a lease. */
export interface Lease {
  /** When it lapses, in milliseconds since the epoch; Infinity when there is none. */
  readonly lapseMs: number;
  /** How long it is from one sign of life on, in milliseconds; 0 when that is not known. */
  readonly lengthMs: number;
}

/** When the leases of agents end, by slot. */
export interface Leases {
  /** Since when they stand still; undefined while they run. */
  readonly heldSinceMs: number | undefined;
  set(slot: number, lease: Lease): void;
  /** When a lease ends; Infinity when there is none. */
  endMs(slot: number): number;
  hasLapsed(slot: number, nowMs: number): boolean;
  /** Lets them stand still as of a time; the earliest counts. Returns whether that is new. */
  hold(sinceMs: number): boolean;
  /** Lets them run again from now on: each that held holds for its length. Returns whether they had stood still. */
  release(nowMs: number): boolean;
}

/** No leases, which run. */
export function createLeases(): Leases {
  const ends: number[] = [];
  const lengths: number[] = [];
  let heldSinceMs: number | undefined;
  /** When they last stood still. */
  let last: { readonly sinceMs: number; readonly untilMs: number } | undefined;

  function endAfter(endMs: number, lengthMs: number): number {
    const isHeld = last !== undefined && endMs > last.sinceMs && endMs < Infinity;
    return isHeld ? Math.max(endMs, (last?.untilMs ?? 0) + lengthMs) : endMs;
  }

  return {
    get heldSinceMs() {
      return heldSinceMs;
    },
    set(slot, { lapseMs, lengthMs }) {
      // It may have been told before they ran again.
      ends[slot] = last === undefined ? lapseMs : endAfter(lapseMs, lengthMs);
      lengths[slot] = lengthMs;
    },
    endMs: (slot) => ends[slot] ?? Infinity,
    hasLapsed(slot, nowMs) {
      const endMs = ends[slot] ?? Infinity;
      return endMs !== Infinity && endMs <= Math.min(nowMs, heldSinceMs ?? Infinity);
    },
    hold(sinceMs) {
      const isNew = heldSinceMs === undefined || sinceMs < heldSinceMs;
      if (isNew) heldSinceMs = sinceMs;
      return isNew;
    },
    release(nowMs) {
      if (heldSinceMs === undefined) return false;
      last = { sinceMs: heldSinceMs, untilMs: nowMs };
      heldSinceMs = undefined;
      for (const [slot, endMs] of ends.entries()) ends[slot] = endAfter(endMs, lengths[slot] ?? 0);
      return true;
    },
  };
}
