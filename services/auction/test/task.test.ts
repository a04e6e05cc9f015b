import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beginAward, confirmAward, refuseAward } from "../src/award.ts";
import { accept, acceptBySilence, lapse, reject, report } from "../src/completion.ts";
import { deliver } from "../src/delivery.ts";
import { callOff, isEnd, MOVES, post, type Step, type Task, type TaskState } from "../src/task.ts";
import { advance } from "../src/timetable.ts";
import {
  aDelivery,
  anOpenTask,
  aSpec,
  aTaskThatIs,
  BIDS,
  reasonOf,
  STATES,
  TASK_ID,
} from "./support/builders.ts";
import { HOUR, MINUTE, NOON, noonPlus } from "./support/clock.ts";

const LATER = noonPlus(36 * MINUTE);

/** What somebody can ask of a task. */
const ACTS: Readonly<Record<string, (task: Task) => Step>> = {
  callOff: (task) => callOff(task, LATER),
  deliver: (task) => deliver(task, aDelivery(), LATER),
  accept: (task) => accept(task, "good", LATER),
  reject: (task) => reject(task, "bad", LATER),
  succeed: (task) => report(task, { success: true, evaluation: "good" }, LATER),
  fail: (task) => report(task, { success: false, evaluation: "bad" }, LATER),
};

const NO = "INVALID_TASK_STATE";

/** Where an act leads from each state; `=` leaves the task as it is. */
const TABLE: readonly (readonly [string, ...string[]])[] = [
  // act       OPEN          AWARDING AWARDED      DELIVERED    SUCCEEDED FAILED CANCELLED EXPIRED
  ["callOff", "CANCELLED", NO, NO, NO, NO, NO, "=", NO],
  ["deliver", "NOT_WINNER", "NOT_WINNER", "DELIVERED", "=", "=", "=", "NOT_WINNER", "NOT_WINNER"],
  ["accept", NO, NO, NO, "SUCCEEDED", "=", NO, NO, NO],
  ["reject", NO, NO, NO, "FAILED", NO, "=", NO, NO],
  ["succeed", NO, NO, "SUCCEEDED", "SUCCEEDED", "=", NO, NO, NO],
  ["fail", NO, NO, "FAILED", "FAILED", NO, "=", NO, NO],
];

describe("a task", () => {
  test.each(
    TABLE.flatMap(([act, ...ends]) => ends.map((end, nth) => [act, STATES[nth], end] as const)),
  )("%s of one that is %s: %s", (act, state, end) => {
    const task = aTaskThatIs(state ?? "OPEN");
    const run = (): Step => ACTS[act]?.(task) ?? { task, followUps: [] };

    if (end === "=") {
      expect(run()).toEqual({ task, followUps: [] });
    } else if (STATES.includes(end as TaskState)) {
      expect(run().task.state).toBe(end);
    } else {
      expect(reasonOf(run)).toBe(end);
    }
  });

  test.each(STATES.filter(isEnd))("that is %s is never due and never moves on", (state) => {
    const task = aTaskThatIs(state);

    expect(task).toMatchObject({ dueTime: undefined, endTime: expect.any(Date) });
    expect(task.endReason).toBeDefined();
    expect(advance(task, BIDS, noonPlus(1_000 * HOUR))).toEqual({ task, followUps: [] });
  });

  test("names its state when it refuses", () => {
    expect(() => callOff(aTaskThatIs("AWARDED"), LATER)).toThrow(
      expect.objectContaining({
        message: `task ${TASK_ID} is AWARDED and cannot be called off`,
        metadata: { task_id: TASK_ID, state: "AWARDED" },
      }),
    );
  });

  test("cannot be judged by the one who asked for it under another hat", () => {
    const spec = aSpec({ evaluator: "buyer" });

    expect(reasonOf(() => post({ taskId: TASK_ID, requester: "buyer", spec }, NOON))).toBe(
      "EVALUATOR_IS_REQUESTER",
    );
  });

  test("takes only moves of the table, and reaches an end, whatever is done to it when", () => {
    const act = fc.record({
      what: fc.constantFrom(
        ...Object.keys(ACTS),
        "award",
        "confirm",
        "refuse",
        "advance",
        "silence",
        "lapse",
      ),
      afterMs: fc.integer({ min: 0, max: 2 * HOUR }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        let task: Task = { ...anOpenTask(), bidCount: BIDS.length };
        let nowMs = NOON.getTime();
        for (const { what, afterMs } of acts) {
          nowMs += afterMs;
          const before = task;
          task = attempt(before, what, new Date(nowMs)) ?? before;

          if (task.state !== before.state) expect(MOVES[before.state]).toContain(task.state);
          if (isEnd(before.state)) expect(task).toBe(before);
          expect(isEnd(task.state)).toBe(task.dueTime === undefined);
          expect(isEnd(task.state)).toBe(task.endReason !== undefined);
          expect(task.epoch).toBeGreaterThanOrEqual(before.epoch);
          expect(new Set(task.awards.map((award) => award.agentId)).size).toBe(task.awards.length);
        }
        for (let rounds = 0; !isEnd(task.state); rounds++) {
          expect(rounds).toBeLessThan(10);
          const at = new Date((task.dueTime?.getTime() ?? nowMs) + 1);
          task = attempt(task, task.state === "AWARDING" ? "confirm" : "advance", at) ?? task;
        }
      }),
    );
  });
});

function attempt(task: Task, what: string, at: Date): Task | undefined {
  const moves: Readonly<Record<string, () => Step | undefined>> = {
    award: () => (task.state === "OPEN" ? beginAward(task, BIDS, "HAND", at) : undefined),
    confirm: () => (task.state === "AWARDING" ? confirmAward(task, at) : undefined),
    refuse: () => (task.state === "AWARDING" ? refuseAward(task, at) : undefined),
    advance: () => advance(task, BIDS, at),
    silence: () => (task.state === "DELIVERED" ? acceptBySilence(task, at) : undefined),
    lapse: () => (task.state === "AWARDED" ? lapse(task, BIDS, at) : undefined),
    deliver: () => {
      const { agentId = "nobody", epoch = 0 } = task.awards.at(-1) ?? {};
      return deliver(task, aDelivery({ agentId, epoch: BigInt(epoch) }), at);
    },
  };
  let step: Step | undefined;
  const reason = reasonOf(() => {
    step = (moves[what] ?? (() => ACTS[what]?.(task)))();
  });
  expect(["ok", NO, "NOT_WINNER"]).toContain(reason);
  return step?.task;
}
