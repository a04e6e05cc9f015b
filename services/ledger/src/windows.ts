const DAY_MS = 24 * 3_600_000;

/** How long the steps of a transaction last where nothing was agreed, in ms. */
export interface Windows {
  /** A hold for which nothing is delivered. */
  readonly holdMs: number;
  /** The payer's silence after a delivery. */
  readonly reviewMs: number;
  /** The evidence of a dispute. */
  readonly evidenceMs: number;
  /** The ruling after that. */
  readonly rulingMs: number;
  /** After a settlement: until when it can be disputed. */
  readonly disputeMs: number;
}

/** What holds when nothing is configured either. */
export const WINDOWS: Windows = {
  holdMs: 30 * DAY_MS,
  reviewMs: 3 * DAY_MS,
  evidenceMs: 3 * DAY_MS,
  rulingMs: 7 * DAY_MS,
  disputeMs: 90 * DAY_MS,
};

/** The longest that any step may last. */
export const WINDOW_MS_MAX = 366 * DAY_MS;
