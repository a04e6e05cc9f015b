import { atLeast, atMost, type Bar } from "../bars.ts";
import type { Hot } from "../inspector.ts";
import { type Latencies, medianOf } from "../latencies.ts";

/** One measurement of a load. */
export interface Row extends Latencies {
  /** Size of the market. */
  readonly agents: number;
  /** From 1 on. */
  readonly round: number;
  /** Which pair of the round: a subject and its peer, measured by turns. */
  readonly pair: number;
  readonly subject: string;
  /** The subject it is set beside, measured by turns with it; absent for that one itself. */
  readonly peer?: string;
  readonly perSecond: number;
  /** What the server itself took for a call, in microseconds of CPU; the changes meanwhile included. */
  readonly cpuUs: number;
}

/** How fast agents were registered. */
export interface Registered {
  readonly agents: number;
  readonly perSecond: number;
  /** Of the registry, in microseconds of CPU for an agent. */
  readonly cpuUs: number;
}

/** What was found at a size of the market beside the loads. */
export interface SizeFigures {
  readonly agents: number;
  /** By BatchRegisterAgents while a discovery followed. */
  readonly registered: Registered;
  /** Profiles changed in a second while discovery was under load. */
  readonly changesPerSecond: number;
  /** What a change cost discovery, in microseconds of CPU, while nothing else was asked of it. */
  readonly changeCpuUs: number | undefined;
  /** Changes that were not made, by reason. */
  readonly changesRefused: Readonly<Record<string, number>>;
  /** From the registry's time stamp of a change until discovery tells of it who asks, under load. */
  readonly visible: Latencies & { readonly samples: number };
  /** The same from when the change was sent until such an answer is there, which waits among the load. */
  readonly told: Latencies;
  /** Resident memory of discovery: the median of what was read after each load. */
  readonly residentBytes: number | undefined;
  /** Of a discovery that was started anew, from its start until it served. */
  readonly ready?: { readonly seconds: number; readonly residentBytes: number };
}

/** A measurement of etcd. */
export interface EtcdRow extends Latencies {
  readonly subject: string;
  readonly perSecond: number;
}

/** What a profile shows of a load: the functions in which most time was spent. */
export interface Profiled {
  readonly agents: number;
  readonly subject: string;
  readonly hottest: readonly Hot[];
}

/** All that a run found. */
export interface Figures {
  readonly rows: readonly Row[];
  readonly sizes: readonly SizeFigures[];
  /** By BatchRegisterAgents at a registry that nobody followed; absent when it was not asked for. */
  readonly registered: Registered | undefined;
  /** Absent where there is none, or none was asked for. */
  readonly etcd:
    | { readonly version: string; readonly keys: number; readonly rows: readonly EtcdRow[] }
    | undefined;
  /** Empty unless it was asked for. */
  readonly profiled: readonly Profiled[];
}

/** A subject at a size, over its rounds. */
export interface Summary {
  readonly agents: number;
  readonly subject: string;
  readonly perSecond: number;
  /** Of the peer of the same pair; the middle of all rounds, as each figure here. */
  readonly ratio: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The p99 as a multiple of the peer's. */
  readonly p99Ratio: number | undefined;
  readonly cpuUs: number;
}

/** Sums up the rounds of each subject at each size, in the order in which they came. */
export function summarize(rows: readonly Row[]): readonly Summary[] {
  const groups = Map.groupBy(rows, ({ agents, subject }) => `${agents}/${subject}`);
  return [...groups.values()].map((rounds) => {
    const [{ agents, subject }] = rounds as [Row];
    const middle = (of: (row: Row) => number) => medianOf(rounds.map(of)) ?? Number.NaN;
    const beside = (of: (row: Row) => number) =>
      medianOf(
        rounds.flatMap((row) => {
          const peer = rows.find(
            (one) =>
              one.agents === agents &&
              one.round === row.round &&
              one.pair === row.pair &&
              one.subject === row.peer,
          );
          return peer === undefined ? [] : [of(row) / of(peer)];
        }),
      );
    return {
      agents,
      subject,
      perSecond: middle((row) => row.perSecond),
      ratio: beside((row) => row.perSecond),
      p50Ms: middle((row) => row.p50Ms),
      p99Ms: middle((row) => row.p99Ms),
      p99Ratio: beside((row) => row.p99Ms),
      cpuUs: middle((row) => row.cpuUs),
    };
  });
}

/**
 * What one more agent takes: resident memory at this size less that at the smallest, over the agents that
 * came between; both of the same process, after the same loads.
 */
export function bytesPerAgent(
  sizes: readonly SizeFigures[],
  { agents, residentBytes }: SizeFigures,
): number | undefined {
  const [least] = sizes;
  if (residentBytes === undefined || least?.residentBytes === undefined) return undefined;
  if (agents <= least.agents) return undefined;
  return (residentBytes - least.residentBytes) / (agents - least.agents);
}

/** A market of this size is large: its bars are other ones. */
const LARGE = 100_000;
const SELECT_BAR = 0.8;
const SELECT_LARGE_BAR = 0.7;
const SEARCH_BAR = 0.5;
/** Of loads whose filters are others each time, and of refusals; such a subject says so behind a comma. */
const ANEW_BAR = 0.5;
const P99_BAR = 2;
/** What counts where no change was seen in all the time of the loads. */
const UNSEEN_MS = 10_000;
const CHANGES_SHARE = 0.95;

/** The bars of all that was measured. */
export function barsOf(
  { rows, sizes, registered }: Pick<Figures, "rows" | "sizes" | "registered">,
  asked: { readonly changes: number },
): readonly Bar[] {
  const summaries = summarize(rows);
  return [
    ...summaries.flatMap(({ agents, subject, ratio }) => {
      const bar = ratioBar(subject, agents);
      if (ratio === undefined || bar === undefined) return [];
      return [atLeast(`${subject} / empty, ${at(agents)}`, ratio, bar)];
    }),
    ...sizes.flatMap((size) => sizeBars(size, sizes, summaries, asked)),
    ...(registered === undefined
      ? []
      : [atLeast("BatchRegisterAgents agents/s", registered.perSecond, 20_000)]),
  ];
}

function ratioBar(subject: string, agents: number): number | undefined {
  if (subject.includes(",")) return agents > LARGE ? undefined : ANEW_BAR;
  if (subject.startsWith("SelectAgent")) return agents > LARGE ? SELECT_LARGE_BAR : SELECT_BAR;
  return agents > LARGE ? undefined : SEARCH_BAR;
}

function sizeBars(
  size: SizeFigures,
  sizes: readonly SizeFigures[],
  summaries: readonly Summary[],
  asked: { readonly changes: number },
): readonly Bar[] {
  const { agents, visible, ready, changesPerSecond } = size;
  const slowest = summaries
    .filter((one) => one.agents === agents && ratioBar(one.subject, agents) !== undefined)
    .flatMap(({ p99Ratio }) => p99Ratio ?? []);
  const bytes = agents < LARGE ? undefined : bytesPerAgent(sizes, size);
  const visibleMs = visible.samples === 0 ? UNSEEN_MS : visible.p99Ms;
  const meanwhile = [
    atMost(`change visible, p99 ms, ${at(agents)}`, visibleMs, 100),
    atLeast(`changes/s meanwhile, ${at(agents)}`, changesPerSecond, CHANGES_SHARE * asked.changes),
  ];
  const bars: (Bar | undefined)[] = [
    // Without a load nothing was looked at.
    ...(slowest.length === 0
      ? []
      : [
          atMost(`p99 / empty's, the slowest, ${at(agents)}`, Math.max(...slowest), P99_BAR),
          ...meanwhile,
        ]),
    bytes === undefined ? undefined : atMost(`bytes an agent, ${at(agents)}`, bytes, 1_500),
    ready === undefined || agents > LARGE
      ? undefined
      : atMost(`new discovery ready, s, ${at(agents)}`, ready.seconds, 5),
  ];
  return bars.filter((bar) => bar !== undefined);
}

function at(agents: number): string {
  return `${agents.toLocaleString("en")} agents`;
}
