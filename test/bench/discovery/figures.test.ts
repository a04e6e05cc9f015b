import { describe, expect, test } from "vitest";
import { barsOf, bytesPerAgent, type Row, type SizeFigures, summarize } from "./figures.ts";

const EMPTY = "empty, as SelectAgent";
const PICK = "SelectAgent BEST";
const ASKED = { changes: 1_000 };
/** Where nothing was measured. */
const NONE = { rows: [], sizes: [], registered: undefined };

describe("a summary", () => {
  test("sets each round beside the peer of the same round, and takes the middle", () => {
    const rows = [
      aRow(EMPTY, { round: 1, perSecond: 100, p99Ms: 10 }),
      aRow(PICK, { round: 1, perSecond: 90, p99Ms: 20, peer: EMPTY }),
      aRow(EMPTY, { round: 2, perSecond: 10, p99Ms: 10 }),
      aRow(PICK, { round: 2, perSecond: 8, p99Ms: 30, peer: EMPTY }),
      aRow(EMPTY, { round: 3, perSecond: 100, p99Ms: 10 }),
      aRow(PICK, { round: 3, perSecond: 50, p99Ms: 90, peer: EMPTY }),
    ];

    expect(summarize(rows)[1]).toMatchObject({ perSecond: 50, ratio: 0.8, p99Ratio: 3 });
    expect(summarize(rows)[0]).toMatchObject({ perSecond: 100, ratio: undefined });
  });

  test("sets each subject beside the peer that was measured with it", () => {
    const rows = [
      aRow(EMPTY, { pair: 0, perSecond: 100 }),
      aRow(PICK, { pair: 0, perSecond: 90, peer: EMPTY }),
      aRow(EMPTY, { pair: 1, perSecond: 10 }),
      aRow("SelectAgent RANDOM", { pair: 1, perSecond: 8, peer: EMPTY }),
    ];

    const [, best, random] = summarize(rows);

    expect([best?.ratio, random?.ratio]).toEqual([0.9, 0.8]);
  });

  test("keeps sizes of the market apart", () => {
    const rows = [aRow(PICK, { agents: 10 }), aRow(PICK, { agents: 20 })];

    expect(summarize(rows).map(({ agents }) => agents)).toEqual([10, 20]);
  });
});

test("an agent takes what memory grew by since the smallest market", () => {
  const small = aSize({ agents: 1_000, residentBytes: 50_000_000 });
  const large = aSize({ agents: 101_000, residentBytes: 200_000_000 });

  expect(bytesPerAgent([small, large], large)).toBe(1_500);
  expect(bytesPerAgent([small, large], small)).toBeUndefined();
});

describe("bars", () => {
  test.each<[string, number, number, boolean]>([
    ["SelectAgent BEST / empty, 100,000 agents, at least", 100_000, 80, true],
    ["SelectAgent BEST / empty, 100,000 agents, at least", 100_000, 79, false],
    ["SelectAgent BEST / empty, 1,000,000 agents, at least", 1_000_000, 70, true],
    ["SelectAgent BEST / empty, 1,000,000 agents, at least", 1_000_000, 69, false],
    ["SearchAgents / empty, 100,000 agents, at least", 100_000, 50, true],
    ["SelectAgent, refused / empty, 100,000 agents, at least", 100_000, 50, true],
    ["SelectAgent, refused / empty, 100,000 agents, at least", 100_000, 49, false],
    ["SearchAgents / empty, 100,000 agents, at least", 100_000, 49, false],
  ])("hold %s: %#", (name, agents, perSecond, ok) => {
    const subject = name.split(" /")[0] as string;
    const rows = [
      aRow(EMPTY, { agents, perSecond: 100 }),
      aRow(subject, { agents, perSecond, peer: EMPTY }),
    ];

    expect(barsOf({ ...NONE, rows }, ASKED)).toEqual([
      { name, value: perSecond / 100, bar: expect.any(Number), ok },
    ]);
  });

  test.each<[string, Partial<SizeFigures>, boolean]>([
    ["change visible, p99 ms", { visible: visible(100) }, true],
    ["change visible, p99 ms", { visible: visible(101) }, false],
    ["change visible, p99 ms", { visible: { ...visible(0), samples: 0 } }, false],
    ["changes/s meanwhile", { visible: visible(1), changesPerSecond: 950 }, true],
    ["changes/s meanwhile", { visible: visible(1), changesPerSecond: 949 }, false],
    ["new discovery ready, s", { ready: { seconds: 5, residentBytes: 0 } }, true],
    ["new discovery ready, s", { ready: { seconds: 5.1, residentBytes: 0 } }, false],
    ["bytes an agent", { residentBytes: 1_500 * 99_000 }, true],
    ["bytes an agent", { residentBytes: 1_501 * 99_000 }, false],
  ])("hold %s: %#", (name, figures, ok) => {
    const sizes = [aSize({ agents: 1_000, residentBytes: 0 }), aSize(figures)];
    const rows = [aRow(EMPTY), aRow(PICK, { peer: EMPTY })];

    expect(
      barsOf({ ...NONE, rows, sizes }, ASKED).find((bar) => bar.name.startsWith(name))?.ok,
    ).toBe(ok);
  });

  test.each([
    [20_000, true],
    [19_999, false],
  ])("hold the registry alone to %d agents a second", (perSecond, ok) => {
    const registered = { agents: 99_000, perSecond, cpuUs: 1 };

    expect(barsOf({ ...NONE, registered }, ASKED)).toMatchObject([{ value: perSecond, ok }]);
  });

  test("hold the slowest p99 to that of the empty server", () => {
    const rows = [
      aRow(EMPTY, { p99Ms: 10 }),
      aRow(PICK, { peer: EMPTY, p99Ms: 12 }),
      aRow("SelectAgent RANDOM", { peer: EMPTY, p99Ms: 21 }),
    ];
    const bars = barsOf({ ...NONE, rows, sizes: [aSize({})] }, ASKED);

    expect(bars.find(({ name }) => name.startsWith("p99"))).toMatchObject({
      value: 2.1,
      ok: false,
    });
  });
});

function aRow(subject: string, fields: Partial<Row> = {}): Row {
  const times = { p50Ms: 1, p99Ms: 1, maxMs: 1, cpuUs: 1 };
  return { agents: 100_000, round: 1, pair: 0, subject, perSecond: 1, ...times, ...fields };
}

function aSize(fields: Partial<SizeFigures>): SizeFigures {
  return {
    agents: 100_000,
    registered: { agents: 1, perSecond: 1, cpuUs: 1 },
    changesPerSecond: 1_000,
    changeCpuUs: 100,
    changesRefused: {},
    visible: { samples: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 },
    told: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
    residentBytes: undefined,
    ...fields,
  };
}

function visible(p99Ms: number): SizeFigures["visible"] {
  return { samples: 10, p50Ms: 1, p99Ms, maxMs: p99Ms };
}
