/**
 * The rules of circuit breakers; the contract tells them in the comment of Breaker. A breaker is what was stored of it
 * and the time: it becomes HALF_OPEN, and is forgotten, by the clock alone.
 */

/** Whether a breaker lets calls through. */
export type BreakerPhase = "CLOSED" | "OPEN" | "HALF_OPEN";

/** What opened it. */
export type BreakerCause = "FAILURE" | "TIMEOUT" | "CALIBRATION";

/** Who tells how something went. */
export interface Reporter {
  readonly id: string;
  readonly standing: Standing;
}

/**
 * What the word of a reporter is worth: that of a service or an operator is `trusted`; an agent that has ordered work
 * of the one it tells of is its `customer`, any other a `stranger`.
 */
export type Standing = "trusted" | "customer" | "stranger";

/** What one reporter has moved while the breaker was closed, or since it is half open. */
interface Tally {
  readonly reporter: string;
  /** Its failures that still count. */
  readonly failures: number;
  /** So many of them may count. */
  readonly most: number;
  /** Failures of others that its successes have taken away. */
  readonly forgiven: number;
  readonly atMs: number;
}

interface Opening {
  readonly cause: BreakerCause;
  readonly atMs: number;
  readonly retryMs: number;
  readonly successes: number;
  /** When the probes under way lapse, the earliest first. */
  readonly probesMs: readonly number[];
}

/** A breaker as it is stored: plain JSON. */
export interface Breaker {
  /** Absent: it is closed. */
  readonly opening?: Opening | undefined;
  readonly tallies: readonly Tally[];
  /** How long it stayed open the last time. */
  readonly backoffMs: number;
  readonly changedMs: number;
  /** The last reports that were counted. */
  readonly reportIds: readonly string[];
}

/** What happens to a breaker. */
export type BreakerEvent =
  | {
      readonly kind: "success" | "failure" | "timeout";
      readonly reporter: Reporter;
      /** "" counts each time. */
      readonly reportId: string;
    }
  | { readonly kind: "calibration"; readonly reportId: string }
  | { readonly kind: "probe" }
  | { readonly kind: "reset" };

/** Failures at which a breaker opens. */
export const FAILURES = 5;
/** Of one reporter, at most so many failures count. */
export const FAILURES_OF_ONE = {
  trusted: FAILURES,
  customer: 3,
  stranger: 1,
} as const satisfies Record<Standing, number>;
/** By the successes of one reporter, at most so many failures of others are taken away. */
const FORGIVEN_BY_ONE = {
  trusted: FAILURES,
  customer: 3,
  stranger: 3,
} as const satisfies Record<Standing, number>;
/** Successes that close a breaker that is half open. */
export const SUCCESSES = 3;
/** Calls under way that try a breaker that is half open. */
export const PROBES = 3;
/** A probe of which nothing is heard is over after this long. */
export const PROBE_MS = 30_000;
/** How long a breaker stays open at first. */
export const BACKOFF_MS = 5_000;
/** The longest that a breaker stays open; each time it is one and a half times as long as before. */
export const BACKOFF_MS_MAX = 60_000;
/** For this long a failure counts, a breaker is half open, and a closed one keeps its back-off: an hour. */
export const REMEMBERED_MS = 3_600_000;
/** Who is remembered at once, and which reports: what one breaker may take of memory. */
const TALLIES_MAX = 32;
const REPORT_IDS_MAX = 32;

const FRESH: Breaker = { tallies: [], backoffMs: 0, changedMs: 0, reportIds: [] };

/** What holds at `nowMs`. */
export function phaseOf(breaker: Breaker | undefined, nowMs: number): BreakerPhase {
  if (breaker?.opening === undefined) return "CLOSED";
  const leftMs = breaker.opening.retryMs - nowMs;
  // More than it can be: the clock was set back, and nobody waits for that.
  if (leftMs > 0 && leftMs <= BACKOFF_MS_MAX) return "OPEN";
  return -leftMs < REMEMBERED_MS ? "HALF_OPEN" : "CLOSED";
}

/** The breaker after an event, the same object when nothing changed; `taken` of a probe: it was granted. */
export interface BreakerStep {
  readonly breaker: Breaker | undefined;
  readonly taken: boolean;
}

/** The breaker after an event at `nowMs`. */
export function stepBreaker(
  before: Breaker | undefined,
  event: BreakerEvent,
  nowMs: number,
): BreakerStep {
  const breaker = freshen(before, nowMs);
  const phase = phaseOf(breaker, nowMs);
  if (event.kind === "probe") return probe(before, breaker, phase, nowMs);
  if (event.kind === "reset") return { breaker: { ...FRESH, changedMs: nowMs }, taken: true };
  const key = reportKey(event);
  const isRepeated = key !== "" && breaker.reportIds.includes(key);
  if (phase === "OPEN" || isRepeated) return { breaker: before, taken: false };
  const after =
    phase === "CLOSED" ? whenClosed(breaker, event, nowMs) : tried(breaker, event, nowMs);
  if (after === breaker) return { breaker: before, taken: false };
  const reportIds = key === "" ? after.reportIds : [...after.reportIds, key].slice(-REPORT_IDS_MAX);
  return { breaker: { ...after, reportIds, changedMs: nowMs }, taken: true };
}

/** Whether watchers must hear of a change: of what they see, something is another. What the clock does they know. */
export function isBreakerNews(before: Breaker | undefined, after: Breaker): boolean {
  const [was, is] = [before?.opening, after.opening];
  return was?.atMs !== is?.atMs || was?.retryMs !== is?.retryMs || was?.successes !== is?.successes;
}

type Report = Exclude<BreakerEvent, { kind: "probe" | "reset" }>;

function reportKey(event: Report): string {
  if (event.reportId === "") return "";
  const who = event.kind === "calibration" ? "calibration" : event.reporter.id;
  return `${who}/${event.reportId}`;
}

/** Without what is too old to count. */
function freshen(breaker: Breaker | undefined, nowMs: number): Breaker {
  if (breaker === undefined || nowMs - breaker.changedMs >= REMEMBERED_MS) return FRESH;
  const opening = phaseOf(breaker, nowMs) === "CLOSED" ? undefined : breaker.opening;
  const tallies = breaker.tallies.filter((tally) => nowMs - tally.atMs < REMEMBERED_MS);
  const isFresh = opening === breaker.opening && tallies.length === breaker.tallies.length;
  return isFresh ? breaker : { ...breaker, opening, tallies };
}

function whenClosed(breaker: Breaker, event: Report, nowMs: number): Breaker {
  if (event.kind === "calibration") return open(breaker, "CALIBRATION", nowMs);
  if (event.kind === "success") return forgive(breaker, event.reporter, nowMs);
  const counted = count(breaker, event.reporter, nowMs);
  return failuresOf(counted) >= FAILURES ? open(counted, causeOf(event), nowMs) : counted;
}

/** What a report does to a breaker that is half open: it ends a probe, whoever's. */
function tried(breaker: Breaker, event: Report, nowMs: number): Breaker {
  const { opening } = breaker;
  if (opening === undefined) return breaker;
  if (event.kind === "calibration") return open(breaker, "CALIBRATION", nowMs);
  const freed = { ...breaker, opening: { ...opening, probesMs: opening.probesMs.slice(1) } };
  if (event.kind === "success") {
    const successes = opening.successes + 1;
    if (successes >= SUCCESSES) return { ...freed, opening: undefined, tallies: [] };
    const tallies = freed.tallies.filter(({ reporter }) => reporter !== event.reporter.id);
    return { ...freed, tallies, opening: { ...freed.opening, successes } };
  }
  const counted = count(freed, event.reporter, nowMs);
  // One failure each is enough of those who together could open a breaker that is closed.
  const doubters = counted.tallies.filter(({ failures }) => failures > 0);
  const isSure = doubters.reduce((sum, { most }) => sum + most, 0) >= FAILURES;
  return isSure ? open(counted, causeOf(event), nowMs) : counted;
}

function open(breaker: Breaker, cause: BreakerCause, nowMs: number): Breaker {
  const longer = Math.min(Math.floor(breaker.backoffMs * 1.5), BACKOFF_MS_MAX);
  const backoffMs = Math.max(longer, BACKOFF_MS);
  const opening = { cause, atMs: nowMs, retryMs: nowMs + backoffMs, successes: 0, probesMs: [] };
  return { ...breaker, opening, tallies: [], backoffMs };
}

function probe(
  before: Breaker | undefined,
  breaker: Breaker,
  phase: BreakerPhase,
  nowMs: number,
): BreakerStep {
  const { opening } = breaker;
  if (phase === "CLOSED" || opening === undefined) return { breaker: before, taken: true };
  if (phase === "OPEN") return { breaker: before, taken: false };
  const lapsed = (untilMs: number) => untilMs <= nowMs || untilMs > nowMs + PROBE_MS;
  const underWay = opening.probesMs.filter((untilMs) => !lapsed(untilMs));
  if (underWay.length >= PROBES) return { breaker: before, taken: false };
  const probesMs = [...underWay, nowMs + PROBE_MS];
  return { breaker: { ...breaker, opening: { ...opening, probesMs } }, taken: true };
}

/** One failure more of a reporter, as far as its failures count. */
function count(breaker: Breaker, reporter: Reporter, nowMs: number): Breaker {
  const own = tallyOf(breaker, reporter, nowMs);
  const failures = Math.min(own.failures + 1, own.most);
  return withTally(breaker, { ...own, failures, atMs: nowMs });
}

/** A success takes away its reporter's failures, or else one of another, as far as its successes count. */
function forgive(breaker: Breaker, reporter: Reporter, nowMs: number): Breaker {
  const own = tallyOf(breaker, reporter, nowMs);
  if (own.failures > 0) return withTally(breaker, { ...own, failures: 0, atMs: nowMs });
  const other = breaker.tallies.find(({ failures }) => failures > 0);
  if (other === undefined || own.forgiven >= FORGIVEN_BY_ONE[reporter.standing]) return breaker;
  const less = replaceTally(breaker, { ...other, failures: other.failures - 1 });
  return withTally(less, { ...own, forgiven: own.forgiven + 1, atMs: nowMs });
}

function tallyOf(breaker: Breaker, { id: reporter, standing }: Reporter, nowMs: number): Tally {
  const most = FAILURES_OF_ONE[standing];
  const known = breaker.tallies.find((tally) => tally.reporter === reporter);
  return { reporter, failures: 0, forgiven: 0, atMs: nowMs, ...known, most };
}

/** The tallies stand in the order in which they changed; the oldest makes room. */
function withTally(breaker: Breaker, tally: Tally): Breaker {
  const others = breaker.tallies.filter(({ reporter }) => reporter !== tally.reporter);
  return { ...breaker, tallies: [...others, tally].slice(-TALLIES_MAX) };
}

function replaceTally(breaker: Breaker, tally: Tally): Breaker {
  const tallies = breaker.tallies.map((one) => (one.reporter === tally.reporter ? tally : one));
  return { ...breaker, tallies };
}

function failuresOf(breaker: Breaker): number {
  return breaker.tallies.reduce((sum, { failures }) => sum + failures, 0);
}

function causeOf({ kind }: Report): BreakerCause {
  return kind === "timeout" ? "TIMEOUT" : "FAILURE";
}
