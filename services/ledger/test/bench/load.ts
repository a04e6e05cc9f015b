import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

/**
 * Makes one call and takes its time. `movements` is how many it adds to the books when it is
 * answered.
 */
export type Timed = <T>(movements: number, call: () => Promise<T>) => Promise<T>;

/** What a load consists of: one or more calls, one after the other, each made through `timed`. */
export type Deed = (timed: Timed) => Promise<void>;

/** How a load went. */
export interface Measure {
  readonly calls: number;
  readonly movements: number;
  /** Until the last answer. */
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Movements of the slowest whole second; of all when there was none. */
  readonly slowestSecond: number;
  /** Deeds that failed, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

/** What every load has. */
export interface LoadOptions {
  readonly deed: Deed;
  readonly seconds: number;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
}

/**
 * So many callers, each of which does its next deed when the one before is answered. The time runs
 * until the last answer. Throws what a deed throws.
 */
export async function closedLoop(
  options: LoadOptions & {
    readonly callers: number;
    /** Ends the load early when so many deeds were begun. */
    readonly deedsMax?: number | undefined;
  },
): Promise<Measure> {
  const { deed, callers, seconds, now, deedsMax = Number.POSITIVE_INFINITY } = options;
  const meter = createMeter(now);
  const end = now() + seconds * 1_000;
  const timed: Timed = (movements, call) => meter.take(now(), movements, call);
  let begun = 0;
  const caller = async () => {
    while (now() < end && begun < deedsMax) {
      begun += 1;
      await deed(timed);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return meter.read();
}

/** How much an open load may have under way before arrivals wait; their time runs all the same. */
const UNDER_WAY_MAX = 20_000;

/**
 * Deeds that arrive at a fixed rate, whether or not those before are answered. The first call of a
 * deed is timed from when the deed was due, so that a stall counts for all who arrive during it;
 * each further call from the answer before it. A deed that fails is counted.
 */
export async function openLoop(
  options: LoadOptions & {
    readonly perSecond: number;
    /** The name under which a failed deed is counted. */
    readonly reasonOf: (error: unknown) => string;
    /** Calls back soon, and lets answers come in before. */
    readonly later: (then: () => void) => void;
  },
): Promise<Measure> {
  const { deed, perSecond, seconds, now, later } = options;
  const meter = createMeter(now);
  const startedAt = now();
  const arrivals = Math.floor(perSecond * seconds);
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  let ended = 0;

  function arrive(): void {
    const due = Math.min(arrivals, Math.floor(((now() - startedAt) * perSecond) / 1_000) + 1);
    while (begun < due && begun - ended < UNDER_WAY_MAX) {
      void begin(startedAt + (begun * 1_000) / perSecond);
      begun += 1;
    }
    if (begun < arrivals) later(arrive);
  }

  async function begin(dueAt: number): Promise<void> {
    let from: number | undefined = dueAt;
    const timed: Timed = (movements, call) => {
      const since = from ?? now();
      from = undefined;
      return meter.take(since, movements, call);
    };
    try {
      await deed(timed);
    } catch (error) {
      meter.refuse(options.reasonOf(error));
    }
    ended += 1;
    if (ended === arrivals) resolve();
  }

  if (arrivals === 0) resolve();
  else arrive();
  await promise;
  return meter.read();
}

/** Half an hour, in microseconds. */
const LATENCY_MAX_US = 1_800_000_000;

function createMeter(now: () => number) {
  const startedAt = now();
  const latencies: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: LATENCY_MAX_US,
    figures: 3,
  });
  const refused: Record<string, number> = {};
  const perSecond: number[] = [];
  let movements = 0;
  let maxMs = 0;
  return {
    async take<T>(since: number, added: number, call: () => Promise<T>): Promise<T> {
      const answer = await call();
      const at = now();
      movements += added;
      const second = Math.floor((at - startedAt) / 1_000);
      perSecond[second] = (perSecond[second] ?? 0) + added;
      const took = at - since;
      if (took > maxMs) maxMs = took;
      latencies.record(Math.min(LATENCY_MAX_US, Math.max(1, Math.round(took * 1_000))));
      return answer;
    },
    refuse(reason: string): void {
      refused[reason] = (refused[reason] ?? 0) + 1;
    },
    read(): Measure {
      const seconds = (now() - startedAt) / 1_000;
      const whole = Array.from({ length: Math.floor(seconds) }, (_, nth) => perSecond[nth] ?? 0);
      const calls = latencies.count;
      const at = (percent: number) => (calls === 0 ? 0 : latencies.percentile(percent) / 1_000);
      return {
        calls,
        movements,
        seconds,
        p50Ms: at(50),
        p99Ms: at(99),
        maxMs,
        slowestSecond: whole.length === 0 ? movements : Math.min(...whole),
        refused,
      };
    },
  };
}
