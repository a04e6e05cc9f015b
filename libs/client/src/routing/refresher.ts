import { backoffMs } from "@bourse/rpc";

/** Keeps an answer fresh while it is used. */
export interface Refresher {
  start(): void;
  stop(): void;
  /** Something has changed: asks soon, at most four times a second. */
  hurry(): void;
  /**
   * Notes that the answer is used. False when it has not been asked for lately, because nobody
   * used it: an answer, or the news that there is none, is on its way.
   */
  use(): boolean;
}

/** What came of asking. */
export interface Answer {
  /** Whether there was an answer. */
  readonly answered: boolean;
  /** Tells of it, unless the refresher was stopped; whoever is told may use it at once. */
  readonly deliver: () => void;
}

/** What a refresher needs. */
export interface RefresherOptions {
  /** Asks anew; never rejects. */
  readonly ask: (signal: AbortSignal) => Promise<Answer>;
  /** Milliseconds between answers, more or less by a fifth so that clients do not ask in step. */
  readonly everyMs: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

const HURRY_MS = 250;

/**
 * A refresher that has not been started. Who does not use the answer for a whole interval is not
 * asked for either.
 */
export function createRefresher({ ask, everyMs, random }: RefresherOptions): Refresher {
  let running: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  let asking = false;
  let urgent = false;
  let used = true;
  let asleep = false;
  let failures = 0;

  function wait(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(onTime, ms);
    timer.unref();
  }

  function onTime(): void {
    timer = undefined;
    if (used) void refresh();
    else asleep = true;
  }

  async function refresh(): Promise<void> {
    const run = running;
    if (run === undefined || asking) return;
    clearTimeout(timer);
    asking = true;
    urgent = false;
    used = false;
    const { answered, deliver } = await ask(run.signal);
    if (running !== run) return;
    asking = false;
    asleep = false;
    failures = answered ? 0 : failures + 1;
    const pause = answered ? everyMs * (0.8 + random() * 0.4) : backoffMs(failures, random);
    wait(answered && urgent ? Math.min(HURRY_MS, pause) : pause);
    deliver();
  }

  return {
    start() {
      if (running !== undefined) return;
      running = new AbortController();
      asleep = false;
      used = true;
      void refresh();
    },
    stop() {
      running?.abort();
      running = undefined;
      asking = false;
      clearTimeout(timer);
    },
    hurry() {
      if (running === undefined || asleep || urgent) return;
      urgent = true;
      // Who has just failed must be replaced whether or not the next call has come yet.
      used = true;
      if (!asking && failures === 0) wait(HURRY_MS);
    },
    use() {
      used = true;
      if (asleep) void refresh();
      return !asleep;
    },
  };
}
