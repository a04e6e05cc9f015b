import { describe, expect, test } from "vitest";
import { createGroupCommit, type GroupCommitOptions } from "../src/group-commit.ts";

/** A group commit whose batches end when the test says so, or at once with `open: true`. */
function aGroup(options: Partial<GroupCommitOptions<string, string>> & { open?: boolean } = {}) {
  const batches: (readonly string[])[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const group = createGroupCommit<string, string>({
    async commit(commands) {
      batches.push(commands);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      if (options.open !== true) await gate.promise;
      if (commands.includes("poison")) throw new Error("poisoned");
      return commands.map((command) => command.toUpperCase());
    },
    batchMax: 3,
    queueMax: 4,
    onFull: (waiting) => new Error(`full with ${waiting}`),
    divisible: () => true,
    ...options,
  });
  const begun = (count: number) => expect.poll(() => batches.length).toBe(count);
  return { group, batches, gates, begun };
}

describe("a group commit", () => {
  test("commits together what came during the commit before, and answers each its own", async () => {
    const { group, batches, gates, begun } = aGroup();

    const first = group.submit("a");
    await begun(1);
    const rest = ["b", "c", "d", "e"].map((command) => group.submit(command));
    gates[0]?.resolve();
    await begun(2);
    gates[1]?.resolve();
    await begun(3);
    gates[2]?.resolve();

    expect(await Promise.all([first, ...rest])).toEqual(["A", "B", "C", "D", "E"]);
    expect(batches).toEqual([["a"], ["b", "c", "d"], ["e"]]);
  });

  test("refuses what is beyond the queue, and takes more when it has drained", async () => {
    const { group, gates, begun } = aGroup();
    const first = group.submit("a");
    await begun(1);
    const waiting = ["b", "c", "d", "e"].map((command) => group.submit(command));

    await expect(group.submit("f")).rejects.toThrow("full with 4");
    gates[0]?.resolve();
    await begun(2);
    const later = group.submit("g");
    gates[1]?.resolve();
    await begun(3);
    gates[2]?.resolve();

    expect(await Promise.all([first, ...waiting, later])).toEqual(["A", "B", "C", "D", "E", "G"]);
  });

  test("tries the commands of a failed batch one by one, so that one does not fail the others", async () => {
    const { group, batches } = aGroup({ open: true });

    const outcomes = await Promise.allSettled(["a", "poison", "b"].map((c) => group.submit(c)));

    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(batches).toEqual([["a", "poison", "b"], ["a"], ["poison"], ["b"]]);
  });

  test("fails a whole batch whose error is not divisible, once", async () => {
    const { group, batches } = aGroup({ open: true, divisible: () => false });

    const outcomes = await Promise.allSettled(["a", "poison"].map((c) => group.submit(c)));

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(batches).toHaveLength(1);
  });

  test("drops a caller that leaves before its batch begins, and not one that leaves after", async () => {
    const { group, batches, gates, begun } = aGroup();
    const early = new AbortController();
    const late = new AbortController();

    const first = group.submit("a", { signal: late.signal });
    await begun(1);
    const second = group.submit("b", { signal: early.signal });
    late.abort(new Error("too late"));
    early.abort(new Error("left"));
    gates[0]?.resolve();

    await expect(second).rejects.toThrow("left");
    expect(await first).toBe("A");
    await group[Symbol.asyncDispose]();
    expect(batches).toEqual([["a"]]);
  });

  test.each([
    ["onBatch", "a"],
    ["divisible", "poison"],
  ] as const)("goes on when %s throws", async (name, command) => {
    const thrower = () => {
      throw new Error("not my fault");
    };
    const { group } = aGroup({ open: true, [name]: thrower });

    const first = await Promise.allSettled([command, command].map((c) => group.submit(c)));
    const second = await group.submit("b");

    expect(first.map(({ status }) => status)).not.toContain("pending");
    expect(second).toBe("B");
    await group[Symbol.asyncDispose]();
  });

  test("gathers for a while after a batch of several, and not after one alone", async () => {
    const begunMs: number[] = [];
    const { group, batches } = aGroup({
      open: true,
      paceMs: 300,
      onBatch: () => begunMs.push(performance.now()),
    });

    await group.submit("a");
    await Promise.all([group.submit("b"), group.submit("c")]);
    await Promise.all([group.submit("d"), group.submit("e")]);

    expect(batches).toEqual([["a"], ["b", "c"], ["d", "e"]]);
    const [first = 0, second = 0, third = 0] = begunMs;
    expect(third - second).toBeGreaterThan(250);
    expect(second - first).toBeLessThan(250);
  });

  test("commits what waits when it is closed, and takes nothing after", async () => {
    const { group } = aGroup({ open: true });
    const waiting = group.submit("a");

    await group[Symbol.asyncDispose]();

    expect(await waiting).toBe("A");
    await expect(group.submit("b")).rejects.toThrow("closed");
  });
});
