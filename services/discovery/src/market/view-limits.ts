/** How much is kept. */
export interface ViewLimits {
  /** A view is made for a filter that is asked again within this time. */
  readonly againMs: number;
  /** Filters that are remembered as asked once. */
  readonly askedMax: number;
  readonly viewsMax: number;
  /** Entries of all views, in all their orders; an entry takes about six bytes. */
  readonly entriesMax: (agents: number) => number;
  /** An order keeps at least so many of its first agents. */
  readonly firstMin: number;
  /** Filters that are followed; those may hold half of `entriesMax`. */
  readonly followedMax: number;
  /** So many agents are looked at at once; where there are more, in slices. */
  readonly atOnceMax: number;
  /** So many, while all other work waits: well below a millisecond's. */
  readonly sliceMax: number;
  /** At most so many agents that do not pass are looked at in vain, and some more for each one that does. */
  readonly looksMax: number;
  /** So many agents stand for all of a view. */
  readonly sampleMax: number;
  /** Views that were made for one answer, and that nobody has asked for again. */
  readonly briefMax: number;
}

/** What is usual. */
export const LIMITS: ViewLimits = {
  againMs: 60_000,
  askedMax: 2_000,
  viewsMax: 2_000,
  entriesMax: (agents) => 1_000_000 + 32 * agents,
  firstMin: 1_024,
  followedMax: 1_000,
  atOnceMax: 1_024,
  sliceMax: 8_192,
  looksMax: 4_096,
  sampleMax: 256,
  briefMax: 32,
};
