import type { Companion } from "../companion.ts";
import { latenciesOf } from "../latencies.ts";
import type { ChangesRequest, ChangesWindow } from "./changes.ts";
import type { Row } from "./figures.ts";
import {
  emptyAs,
  type LoadParts,
  measurePeer,
  measureTarget,
  type Place,
  type Slice,
} from "./loads.ts";
import { readUsage } from "./stage.ts";
import type { Target } from "./targets.ts";

/** What a pair is measured with. */
export interface PairParts extends LoadParts {
  readonly changes: Companion;
}

/** What was found of a pair. */
export interface PairFigures {
  /** The empty server's and the target's. */
  readonly rows: readonly [Row, Row];
  /** What happened in the market while the target was under load. */
  readonly windows: readonly ChangesWindow[];
  /** What a change cost discovery while the load was on the empty server, in microseconds of CPU. */
  readonly changeCostsUs: readonly number[];
  /** Of discovery after the last load. */
  readonly residentBytes: number;
}

/**
 * Measures a target and the empty server, which answers as many bytes, by turns and in slices: what else goes on in the
 * machine changes from second to second, and is so the same for both.
 */
export async function measurePair(
  parts: PairParts,
  place: Place,
  target: Target,
): Promise<PairFigures> {
  const { changes, stage, census, settings } = parts;
  const window = () => changes.ask<ChangesWindow>({ ask: "window" } satisfies ChangesRequest);
  const metrics = stage.market.metricsAddress("discovery");
  const bytes = await target.check(stage.caller, census);
  const { turns, seconds } = turnsOf(settings.seconds);
  const slices: Record<Turn, Slice[]> = { empty: [], target: [] };
  const windows: ChangesWindow[] = [];
  const changeCostsUs: number[] = [];
  let residentBytes = 0;
  for (const turn of turns) {
    await window();
    if (turn === "target") {
      const { residentBytes: now, ...slice } = await measureTarget(parts, place, target, seconds);
      windows.push(await window());
      slices.target.push(slice);
      residentBytes = now;
    } else {
      const before = await readUsage(metrics);
      slices.empty.push(await measurePeer(parts, place, target, { bytes, seconds }));
      const { cpuSeconds } = await readUsage(metrics);
      const { changed } = await window();
      changeCostsUs.push(((cpuSeconds - before.cpuSeconds) * 1e6) / Math.max(1, changed));
    }
  }
  const peer = emptyAs(target.method);
  const rows = [
    { ...place, subject: peer, ...summed(slices.empty) },
    { ...place, subject: target.subject, peer, ...summed(slices.target) },
  ] as const;
  return { rows, windows, changeCostsUs, residentBytes };
}

/** Whose turn it is. */
type Turn = "empty" | "target";

/** About as long is a slice, in seconds. */
const SLICE_S = 1.25;

/**
 * Who is measured one after the other, and for how long each time, so that each has so many seconds in all. Each comes
 * first as often as the other: what grows or fades meanwhile favours neither.
 */
export function turnsOf(seconds: number): { readonly turns: readonly Turn[]; seconds: number } {
  const count = 2 * Math.max(1, Math.round(seconds / (2 * SLICE_S)));
  const turns = Array.from({ length: count }, (_, nth): readonly Turn[] =>
    nth % 2 === 0 ? ["empty", "target"] : ["target", "empty"],
  );
  return { turns: turns.flat(), seconds: seconds / count };
}

/** What slices of the same length come to. */
export function summed(slices: readonly Slice[]): Omit<Row, keyof Place | "subject" | "peer"> {
  const sum = (of: (slice: Slice) => number) => slices.reduce((all, one) => all + of(one), 0);
  return {
    perSecond: sum(({ perSecond }) => perSecond) / slices.length,
    ...latenciesOf(slices.flatMap(({ tookMs }) => tookMs)),
    cpuUs: (sum(({ cpuSeconds }) => cpuSeconds) * 1e6) / sum(({ counted }) => counted),
  };
}
