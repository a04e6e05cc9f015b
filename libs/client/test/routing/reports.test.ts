import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openReports, type Report } from "../../src/routing/reports.ts";
import type { Result } from "../../src/routing/result.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Reports to somebody who answers as told, and else takes them. */
function openDesk(...answers: readonly Error[]) {
  const sent: (readonly Report[])[] = [];
  const lost: number[] = [];
  const failures = [...answers];
  const reports = openReports({
    async send(batch) {
      sent.push(batch);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
    random: () => 0.5,
    onLost: (count) => void lost.push(count),
  });
  const note = (agentId: string, result: Result, latencyMs = 1) =>
    reports.note({ agentId, capability: "echo", result, latencyMs });
  return { reports, note, sent, lost };
}

const AWAY = new ConnectError("away", Code.Unavailable);
const told = (batch: readonly Report[] | undefined) =>
  batch?.map(({ agentId, result }) => `${agentId} ${result}`);

describe("reports", () => {
  test("are told together, a second later, in the order in which the calls ended", async () => {
    const { note, sent } = openDesk();
    note("ada", "FAILURE");
    note("bob", "TIMEOUT");
    note("ada", "SUCCESS");
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);

    expect(sent.map(told)).toEqual([["ada FAILURE", "bob TIMEOUT", "ada SUCCESS"]]);
  });

  test("of successes in a row are one, the last; failures are each told", async () => {
    const { note, sent } = openDesk();
    note("ada", "SUCCESS", 1);
    note("bob", "SUCCESS", 2);
    note("ada", "SUCCESS", 3);
    note("ada", "FAILURE");
    note("ada", "FAILURE");
    note("ada", "SUCCESS");
    await vi.advanceTimersByTimeAsync(1_000);

    expect(told(sent[0])).toEqual([
      "ada SUCCESS",
      "bob SUCCESS",
      "ada FAILURE",
      "ada FAILURE",
      "ada SUCCESS",
    ]);
    expect(sent[0]?.[0]?.latencyMs).toBe(3);
  });

  test("that did not arrive are told again under the same ids, before those that came since", async () => {
    const { note, sent, lost } = openDesk(AWAY);
    note("ada", "FAILURE");
    await vi.advanceTimersByTimeAsync(1_000);
    note("bob", "FAILURE");
    await vi.advanceTimersByTimeAsync(1_000);

    expect(sent.map(told)).toEqual([["ada FAILURE"], ["ada FAILURE", "bob FAILURE"]]);
    expect(sent[1]?.[0]?.reportId).toBe(sent[0]?.[0]?.reportId);
    expect(new Set(sent[1]?.map(({ reportId }) => reportId)).size).toBe(2);
    expect(lost).toEqual([]);
  });

  test("that are refused for good are lost, and it is told", async () => {
    const { note, sent, lost } = openDesk(new ConnectError("no", Code.PermissionDenied));
    note("ada", "FAILURE");
    await vi.advanceTimersByTimeAsync(10_000);

    expect(sent).toHaveLength(1);
    expect(lost).toEqual([1]);
  });

  test("never take more than so much memory: the oldest are lost first", async () => {
    const { reports, note, sent, lost } = openDesk();
    for (let count = 0; count < 20_000; count += 1) note(`agent-${count}`, "FAILURE");
    const kept = 20_000 - lost.reduce((sum, count) => sum + count, 0);
    await reports[Symbol.asyncDispose]();

    expect(kept).toBeLessThan(6_000);
    expect(sent.map(({ length }) => length).every((length) => length <= 1_000)).toBe(true);
    expect(sent.flat()).toHaveLength(kept);
    expect(sent.flat().at(-1)?.agentId).toBe("agent-19999");
  });

  test("that wait are told on leaving; what nobody takes then is lost", async () => {
    const first = openDesk();
    first.note("ada", "FAILURE");
    await first.reports[Symbol.asyncDispose]();
    const second = openDesk(AWAY);
    second.note("ada", "FAILURE");
    await second.reports[Symbol.asyncDispose]();

    expect(first.sent.map(told)).toEqual([["ada FAILURE"]]);
    expect(second.lost).toEqual([1]);
  });
});
