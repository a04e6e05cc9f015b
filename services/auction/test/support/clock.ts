/** When the tests take place. */
export const NOON = new Date("2026-11-20T12:00:00Z");

/** A clock that stands still until it is moved. */
export interface Clock {
  readonly now: () => Date;
  advance(ms: number): void;
}

/** A clock that shows noon. */
export function startClock(): Clock {
  let nowMs = NOON.getTime();
  return {
    now: () => new Date(nowMs),
    advance(ms) {
      nowMs += ms;
    },
  };
}

/** A time that lies `ms` behind noon. */
export function noonPlus(ms: number): Date {
  return new Date(NOON.getTime() + ms);
}

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
