import { type Outage, withOutage } from "../outage.ts";
import type { Unseen } from "./commands.ts";

/** When Redis was away, and since when it is. */
export interface Outages {
  /** A look at Redis has failed. */
  begin(): void;
  /** A look that began at `asOfMs` went well; `isLost`: Redis had forgotten something. */
  end(look: { readonly asOfMs: number; readonly isLost: boolean }): void;
  /** The latest time in which no replica looked; undefined: there was none. */
  note(unseen: Unseen | undefined): void;
  /** Since when it is away; undefined while it is there. */
  sinceMs(): number | undefined;
  /** The same, for whoever finds it away before a look does. */
  lostMs(): number;
  /** Those that are over. */
  past(): readonly Outage[];
  /** Those, and the one that lasts, as if it ended now. */
  all(): readonly Outage[];
}

/** Redis was not looked at yet. */
export function createOutages(now: () => Date): Outages {
  let past: readonly Outage[] = [];
  let sinceMs: number | undefined;
  /** When the last look began that went well. */
  let goodMs = now().getTime();
  let isFirst = true;
  let noted = "";
  const nowMs = () => now().getTime();
  return {
    begin() {
      sinceMs ??= goodMs;
      isFirst = false;
    },
    end({ asOfMs, isLost }) {
      // What was never seen has not been lost.
      const lostMs = sinceMs ?? (isLost && !isFirst ? goodMs : undefined);
      if (lostMs !== undefined) past = withOutage(past, { sinceMs: lostMs, untilMs: nowMs() });
      sinceMs = undefined;
      goodMs = asOfMs;
      isFirst = false;
    },
    note(unseen) {
      // It is told again with each look.
      if (unseen === undefined || unseen.name === noted) return;
      noted = unseen.name;
      past = withOutage(past, unseen);
    },
    sinceMs: () => sinceMs,
    lostMs: () => sinceMs ?? goodMs,
    past: () => past,
    all: () =>
      sinceMs === undefined ? past : [...past, { sinceMs, untilMs: Math.max(sinceMs, nowMs()) }],
  };
}
