import { randomUUID } from "node:crypto";
import { backoffMs } from "@bourse/rpc";
import { isPassing } from "../retry.ts";
import type { Result } from "./result.ts";

/** How a call to an agent went. */
export interface Outcome {
  readonly agentId: string;
  readonly capability: string;
  readonly result: Result;
  /** How long it took. */
  readonly latencyMs: number;
}

/** An outcome as it is told; the id makes it count once. */
export interface Report extends Outcome {
  readonly reportId: string;
}

/** Tells how calls went, later and in batches; disposing of it tells what is left. */
export interface Reports extends AsyncDisposable {
  note(outcome: Outcome): void;
}

/** What reports need. */
export interface ReportsOptions {
  /** Tells them, within so many milliseconds; at most 1,000. */
  readonly send: (reports: readonly Report[], timeoutMs: number) => Promise<void>;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Is told how many were lost, refused for good or too many to keep; must not throw. */
  readonly onLost: (count: number, error: unknown) => void;
}

const EVERY_MS = 1_000;
const BATCH = 1_000;
const WAITING_MAX = 5 * BATCH;
const TIMEOUT_MS = 5_000;
const FAREWELL_MS = 2_000;

/**
 * Starts without a report. Successes of an agent in a row are told as one a second, the last of
 * them, since more would tell nothing; each failure is told. At most 5,000 wait while nobody
 * listens, and the oldest are lost first.
 */
export function openReports({ send, random, onLost }: ReportsOptions): Reports {
  const name = randomUUID();
  let count = 0;
  let waiting: Report[] = [];
  /** Where the last report of each agent and capability stands in `waiting`. */
  const places = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let failures = 0;
  let closed = false;

  function schedule(): void {
    if (timer !== undefined || sending !== undefined || closed || waiting.length === 0) return;
    const pauseMs = Math.max(EVERY_MS * (0.8 + random() * 0.4), backoffMs(failures + 1, random));
    timer = setTimeout(() => {
      timer = undefined;
      sending = tell(TIMEOUT_MS).then(() => {
        sending = undefined;
        schedule();
      });
    }, pauseMs);
    timer.unref();
  }

  async function tell(timeoutMs: number): Promise<void> {
    const reports = waiting.slice(0, BATCH);
    waiting = waiting.slice(BATCH);
    places.clear();
    try {
      await send(reports, timeoutMs);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!isPassing(error)) return onLost(reports.length, error);
      waiting = [...reports, ...waiting];
      places.clear();
      bound(WAITING_MAX, error);
    }
  }

  function bound(most: number, error: unknown): void {
    const over = waiting.length - most;
    if (over <= 0) return;
    waiting = waiting.slice(over);
    places.clear();
    onLost(over, error);
  }

  return {
    note(outcome) {
      if (closed) return;
      count += 1;
      const report = { ...outcome, reportId: `${name}:${count}` };
      const key = `${outcome.agentId} ${outcome.capability}`;
      const place = places.get(key) ?? waiting.length;
      const again = outcome.result === "SUCCESS" && waiting[place]?.result === "SUCCESS";
      places.set(key, again ? place : waiting.length);
      waiting[again ? place : waiting.length] = report;
      // Not one by one: each cut copies all that wait.
      if (waiting.length >= WAITING_MAX + BATCH) bound(WAITING_MAX, undefined);
      schedule();
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await sending;
      failures = 0;
      const overMs = performance.now() + FAREWELL_MS;
      while (waiting.length > 0 && failures === 0 && performance.now() < overMs) {
        await tell(Math.ceil(overMs - performance.now()));
      }
      if (waiting.length > 0) onLost(waiting.length, undefined);
    },
  };
}
