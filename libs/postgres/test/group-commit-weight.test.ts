import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroupCommit, type GroupCommitOptions } from "../src/group-commit.ts";

/** Commands are their own weight: parcels of so many. */
type Options = GroupCommitOptions<number, string>;

/** A group commit of parcels whose batches end when the test says so. */
function aGroup(options: Partial<Options> = {}) {
  const batches: (readonly number[])[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const weights: number[] = [];
  const group = createGroupCommit<number, string>({
    async commit(commands) {
      batches.push(commands);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      return commands.map(String);
    },
    weigh: (command) => command,
    batchMax: 5,
    queueMax: 10,
    onFull: (waiting) => new Error(`full with ${waiting}`),
    divisible: () => true,
    onBatch: (weight) => weights.push(weight),
    ...options,
  });
  const begun = (count: number) => expect.poll(() => batches.length).toBe(count);
  const end = async () => {
    for (let nth = 0; group.waiting > 0 || nth < batches.length; nth++) {
      await expect.poll(() => gates.length).toBeGreaterThan(nth);
      gates[nth]?.resolve();
      await new Promise(setImmediate);
    }
  };
  return { group, batches, gates, weights, begun, end };
}

describe("the weight of commands", () => {
  test("fills a batch, in order: what does not fit waits, and all behind it", async () => {
    const { group, batches, weights, end } = aGroup({ queueMax: 100 });

    const answers = [3, 2, 4, 2, 1].map((weight) => group.submit(weight));
    await end();

    expect(await Promise.all(answers)).toEqual(["3", "2", "4", "2", "1"]);
    expect(batches).toEqual([[3, 2], [4], [2, 1]]);
    expect(weights).toEqual([5, 4, 3]);
  });

  test("beyond a whole batch makes a command go alone", async () => {
    const { group, batches, end } = aGroup();

    const answers = [1, 7, 1].map((weight) => group.submit(weight));
    await end();

    expect(await Promise.all(answers)).toEqual(["1", "7", "1"]);
    expect(batches).toEqual([[1], [7], [1]]);
  });

  test("fills the queue, until some of it is taken or leaves", async () => {
    const { group, begun, gates, end } = aGroup();
    const leaving = new AbortController();
    const first = group.submit(1);
    await begun(1);
    const stays = group.submit(4);
    const leaves = group.submit(6, { signal: leaving.signal });
    expect(group.waiting).toBe(10);
    await expect(group.submit(1)).rejects.toThrow("full with 10");

    leaving.abort(new Error("left"));
    await expect(leaves).rejects.toThrow("left");
    expect(group.waiting).toBe(4);
    const later = group.submit(6);
    gates[0]?.resolve();
    await end();

    expect(await Promise.all([first, stays, later])).toEqual(["1", "4", "6"]);
    expect(group.waiting).toBe(0);
  });

  test("beyond the whole queue makes a command wait only when nothing else does", async () => {
    const { group, begun, end } = aGroup();
    const first = group.submit(1);
    await begun(1);
    const heavy = group.submit(11);

    await expect(group.submit(1)).rejects.toThrow("full with 11");
    await expect(group.submit(11)).rejects.toThrow("full with 11");
    await end();

    expect(await Promise.all([first, heavy])).toEqual(["1", "11"]);
  });

  test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])("is never %d", async (weight) => {
    const { group } = aGroup();

    await expect(group.submit(weight)).rejects.toThrow(RangeError);

    expect(group.waiting).toBe(0);
  });
});

describe("lanes", () => {
  test("let the next batches begin while others are under way, and no more than there are", async () => {
    const { group, batches, gates, begun, end } = aGroup({ lanes: 2 });

    const first = group.submit(1);
    await begun(1);
    const second = group.submit(2);
    await begun(2);
    const rest = [1, 2].map((weight) => group.submit(weight));
    await new Promise(setImmediate);
    expect(group.waiting).toBe(3);
    gates[1]?.resolve();
    await begun(3);
    await end();

    expect(await Promise.all([first, second, ...rest])).toEqual(["1", "2", "1", "2"]);
    expect(batches).toEqual([[1], [2], [1], [2]]);
  });

  test("share evenly what came at once, so that none is idle while another works", async () => {
    const { group, batches, begun, end } = aGroup({ lanes: 2, queueMax: 100 });

    const answers = Array.from({ length: 6 }, () => group.submit(1));
    await begun(2);
    await end();

    expect(await Promise.all(answers)).toHaveLength(6);
    expect(batches).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
  });

  test("all work on what came at once and fills more than one batch", async () => {
    const { group, batches, begun, end } = aGroup({ lanes: 3, queueMax: 100 });

    const answers = [5, 5, 5, 5].map((weight) => group.submit(weight));
    await begun(3);
    expect(group.waiting).toBe(5);
    await end();

    expect(await Promise.all(answers)).toEqual(["5", "5", "5", "5"]);
    expect(batches).toHaveLength(4);
  });

  test("of commits that are serial begin beside another only with as much as is under way", async () => {
    const { group, batches, begun, end } = aGroup({ lanes: 2, isSerial: true });

    const first = group.submit(3);
    await begun(1);
    const few = [1, 1].map((weight) => group.submit(weight));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(batches).toEqual([[3]]);
    const last = group.submit(1);
    await begun(2);
    await end();

    expect(await Promise.all([first, ...few, last])).toEqual(["3", "1", "1", "1"]);
    expect(batches).toEqual([[3], [1, 1, 1]]);
  });

  test("of commits that are serial begin at once with what fills a batch", async () => {
    const { group, batches, begun, end } = aGroup({ lanes: 2, isSerial: true });

    const first = group.submit(9);
    await begun(1);
    const second = group.submit(5);
    await begun(2);
    await end();

    expect(await Promise.all([first, second])).toEqual(["9", "5"]);
    expect(batches).toEqual([[9], [5]]);
  });

  test("of commits that are serial leave together who waits for one that was no smaller", async () => {
    const { group, batches, gates, begun, end } = aGroup({ lanes: 2, isSerial: true });

    const first = group.submit(4);
    await begun(1);
    const rest = [1, 1, 1].map((weight) => group.submit(weight));
    gates[0]?.resolve();
    await begun(2);
    await end();

    expect(await Promise.all([first, ...rest])).toEqual(["4", "1", "1", "1"]);
    expect(batches).toEqual([[4], [1, 1, 1]]);
  });

  test("are all waited for at the end", async () => {
    const { group, gates, begun } = aGroup({ lanes: 2, queueMax: 100 });
    const answers = [5, 5, 5].map((weight) => group.submit(weight));
    await begun(2);

    const ended = group[Symbol.asyncDispose]();
    gates[1]?.resolve();
    await begun(3);
    gates[0]?.resolve();
    gates[2]?.resolve();
    await ended;

    expect(await Promise.all(answers)).toEqual(["5", "5", "5"]);
  });

  test("miss nobody who comes as a batch ends", async () => {
    const { group } = aGroup({ commit: async (commands) => commands.map(String) });

    for (let nth = 1; nth <= 50; nth++) expect(await group.submit(1)).toBe("1");
  });
});

/** What a random history does next. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ submit: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ abort: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ end: fc.nat(), fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ turn: true }) },
);

describe("a group commit in any history", () => {
  test("keeps its limits and its order, and answers each caller once with its own", async () => {
    const history = {
      batchMax: fc.integer({ min: 1, max: 9 }),
      queueMax: fc.integer({ min: 1, max: 20 }),
      lanes: fc.integer({ min: 1, max: 3 }),
      isSerial: fc.boolean(),
      steps: fc.array(step, { maxLength: 60 }),
    };
    await fc.assert(fc.asyncProperty(fc.record(history), replay), { numRuns: 300 });
  });
});

interface Parcel {
  readonly nth: number;
  readonly weight: number;
}
type History = Required<Pick<Options, "batchMax" | "queueMax" | "lanes" | "isSerial">> & {
  readonly steps: readonly (
    | { submit: number }
    | { abort: number }
    | { end: number; fails: boolean }
    | { turn: boolean }
  )[];
};

async function replay({ steps, ...limits }: History): Promise<void> {
  const begun: number[] = [];
  const done = new Set<number>();
  const open: PromiseWithResolvers<void>[] = [];
  const calls: { leave: AbortController; outcome: Promise<string>; refused: boolean }[] = [];
  const group = createGroupCommit<Parcel, string>({
    ...limits,
    async commit(batch) {
      const weight = batch.reduce((sum, parcel) => sum + parcel.weight, 0);
      expect(batch.length === 1 || weight <= limits.batchMax).toBe(true);
      // Those who are tried again by themselves began before.
      begun.push(...batch.flatMap(({ nth }) => (begun.includes(nth) ? [] : [nth])));
      const gate = Promise.withResolvers<void>();
      open.push(gate);
      expect(open.length).toBeLessThanOrEqual(limits.lanes);
      await gate.promise.finally(() => open.splice(open.indexOf(gate), 1));
      for (const { nth } of batch) done.add(nth);
      return batch.map(({ nth }) => `did ${nth}`);
    },
    weigh: ({ weight }) => weight,
    divisible: () => true,
    onFull: (waiting) => new Error(`full with ${waiting}`),
  });

  const submit = (weight: number) => {
    const nth = calls.length;
    const leave = new AbortController();
    const before = group.waiting;
    const full = before > 0 && before + weight > limits.queueMax;
    const outcome = group.submit({ nth, weight }, { signal: leave.signal }).then(
      (answer) => answer,
      (error: Error) => error.message,
    );
    expect(group.waiting).toBe(full ? before : before + weight);
    calls.push({ leave, outcome, refused: full });
  };
  const settle = (at: number, fails: boolean) => {
    const gate = open[at % open.length];
    if (fails) gate?.reject(new Error("failed"));
    else gate?.resolve();
  };
  for (const each of steps) {
    if ("submit" in each) submit(each.submit);
    else if ("abort" in each) calls[each.abort % calls.length]?.leave.abort(new Error("left"));
    else if ("end" in each) settle(each.end, each.fails);
    else await new Promise(setImmediate);
  }
  let closed = false;
  const closing = group[Symbol.asyncDispose]().then(() => {
    closed = true;
  });
  while (!closed) {
    settle(0, false);
    await new Promise(setImmediate);
  }
  await closing;

  expect(group.waiting).toBe(0);
  expect(begun).toEqual([...begun].sort((a, b) => a - b));
  for (const [nth, { outcome, refused }] of calls.entries()) {
    const answer = await outcome;
    expect(answer.startsWith("full with")).toBe(refused);
    if (!begun.includes(nth)) expect(answer).toMatch(/^(left|full with \d+)$/);
    else expect(answer).toBe(done.has(nth) ? `did ${nth}` : "failed");
  }
}
