import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BACKOFF_MS,
  BACKOFF_MS_MAX,
  type Breaker,
  type BreakerEvent,
  PROBE_MS,
  phaseOf,
  REMEMBERED_MS,
  stepBreaker,
} from "../src/breaker.ts";

const START = 1_000_000_000_000;

/**
 * Lives through a script: `a-` is a failure that agent a tells of, `a~` a time-out, `a+` a success; `s` is a service,
 * small letters are customers, capital ones strangers.
 * `!` is an outcome that lowers the calibration too far, `?` takes a probe, `0` resets, a number passes milliseconds.
 */
function live(script: string, from?: { breaker: Breaker | undefined; nowMs: number }) {
  let { breaker, nowMs } = from ?? { breaker: undefined, nowMs: START };
  const taken: boolean[] = [];
  for (const word of script.split(" ").filter((each) => each !== "")) {
    if (/^-?\d{2,}$/.test(word)) {
      nowMs += Number(word);
      continue;
    }
    const step = stepBreaker(breaker, eventOf(word), nowMs);
    breaker = step.breaker;
    taken.push(step.taken);
  }
  return { breaker, nowMs, taken, phase: phaseOf(breaker, nowMs) };
}

function eventOf(word: string): BreakerEvent {
  if (word === "!") return { kind: "calibration", reportId: "" };
  if (word === "?") return { kind: "probe" };
  if (word === "0") return { kind: "reset" };
  const [, who = "", sign = "", reportId = ""] = /^(\w)([-~+])(\w*)$/.exec(word) ?? [];
  const kind = { "-": "failure", "~": "timeout", "+": "success" }[sign] as "failure";
  const standing = who === "s" ? "trusted" : who < "a" ? "stranger" : "customer";
  return { kind, reporter: { id: who, standing }, reportId };
}

describe("a breaker that is closed", () => {
  test.each([
    { script: "s- s- s- s-", phase: "CLOSED", why: "4 failures are not enough" },
    { script: "s- s- s- s- s-", phase: "OPEN", why: "5 are" },
    { script: "s- s~ s- s~ s~", phase: "OPEN", why: "time-outs count as failures" },
    {
      script: "a- a- a- a- a- a- a- a- a- a-",
      phase: "CLOSED",
      why: "one agent alone opens nothing",
    },
    { script: "a- a- a- a- a- b-", phase: "CLOSED", why: "of one agent 3 count" },
    { script: "a- a- a- b- b-", phase: "OPEN", why: "two customers together open it" },
    { script: "A- A- A- B- B- B- C- D-", phase: "CLOSED", why: "of a stranger one counts" },
    { script: "A- B- C- D- E-", phase: "OPEN", why: "five strangers together open it" },
    { script: "a- a- a- B- C-", phase: "OPEN", why: "and so do a customer and two strangers" },
    { script: "a- a- a- b- A+ b-", phase: "CLOSED", why: "a success counts, whoever's" },
    {
      script: "s- s- s- s- s+ s-",
      phase: "CLOSED",
      why: "a success takes away its reporter's failures",
    },
    { script: "a- a- b- b- c+ c-", phase: "CLOSED", why: "or else one that another had" },
    {
      script: "a- c+ b- c+ a- c+ c+ c+ a- a- b- b- b-",
      phase: "OPEN",
      why: "of one agent's successes 3 take away others' failures",
    },
    {
      script: `s- s- s- s- ${REMEMBERED_MS} s-`,
      phase: "CLOSED",
      why: "an hour later they do not count",
    },
    { script: "s-1 s-1 s-1 s-1 s-1 s-1", phase: "CLOSED", why: "a repetition does not count" },
    { script: "s-1 s-2 s-3 s-4 s-5", phase: "OPEN", why: "other reports do" },
    {
      script: "a-1 a-2 a-3 b-1 b-2",
      phase: "OPEN",
      why: "ids of different reporters are different",
    },
    { script: "!", phase: "OPEN", why: "a calibration that fell too low opens it" },
    { script: "s- s- s- s- 0 s-", phase: "CLOSED", why: "a reset forgets" },
  ])("$script is $phase: $why", ({ script, phase }) => {
    expect(live(script).phase).toBe(phase);
  });

  test("grants every probe and keeps nothing", () => {
    expect(live("? ? ? ? ? ?")).toMatchObject({ breaker: undefined, taken: Array(6).fill(true) });
  });
});

const OPEN = "s- s- s- s- s-";
const HALF_OPEN = `${OPEN} ${BACKOFF_MS}`;

describe("a breaker that is open", () => {
  test.each([
    { script: `${OPEN} ${BACKOFF_MS - 1}`, phase: "OPEN", why: "it waits for the back-off" },
    { script: `${OPEN} s+ s+ s+ s+`, phase: "OPEN", why: "successes of before change nothing" },
    { script: HALF_OPEN, phase: "HALF_OPEN", why: "then it is half open" },
    {
      script: `${OPEN} ${-3_600_000}`,
      phase: "HALF_OPEN",
      why: "a clock that was set back keeps nobody waiting",
    },
    { script: `${OPEN} 0`, phase: "CLOSED", why: "a reset closes it" },
    { script: `${HALF_OPEN} s+ s+`, phase: "HALF_OPEN", why: "2 successes are not enough" },
    { script: `${HALF_OPEN} s+ s+ s+`, phase: "CLOSED", why: "3 are" },
    {
      script: `${HALF_OPEN} s-`,
      phase: "OPEN",
      why: "a failure that a service tells of opens it again",
    },
    {
      script: `${HALF_OPEN} a- a- a- a-`,
      phase: "HALF_OPEN",
      why: "those of one agent alone do not",
    },
    { script: `${HALF_OPEN} a- b~`, phase: "OPEN", why: "those of two customers do" },
    {
      script: `${HALF_OPEN} A- B- C- D- D-`,
      phase: "HALF_OPEN",
      why: "those of four strangers do not",
    },
    { script: `${HALF_OPEN} A- B- C- D- E-`, phase: "OPEN", why: "those of five do" },
    { script: `${HALF_OPEN} a- A- B-`, phase: "OPEN", why: "or of a customer and two strangers" },
    {
      script: `${HALF_OPEN} a- a+ b-`,
      phase: "HALF_OPEN",
      why: "unless one of them succeeded since",
    },
    {
      script: `${HALF_OPEN} !`,
      phase: "OPEN",
      why: "a calibration that fell too low opens it again",
    },
    { script: `${HALF_OPEN} ${REMEMBERED_MS}`, phase: "CLOSED", why: "it closes after an hour" },
    {
      script: `${HALF_OPEN} 1800000 a- 1800000 a- a- b-`,
      phase: "CLOSED",
      why: "also when one agent alone tells of failures",
    },
    {
      script: `${HALF_OPEN} 1800000 a- 1800000 a- a- b- b-`,
      phase: "OPEN",
      why: "and then failures count as in any that is closed",
    },
    {
      script: `${HALF_OPEN} s+ s+ s+ s- s- s- s-`,
      phase: "CLOSED",
      why: "closed, it counts from nothing",
    },
    {
      script: `${HALF_OPEN} s+ s+ s+ ${OPEN} ${BACKOFF_MS}`,
      phase: "OPEN",
      why: "closed for less than an hour, it opens for longer",
    },
  ])("$script is $phase: $why", ({ script, phase }) => {
    expect(live(script).phase).toBe(phase);
  });

  test("stays open one and a half times as long each time, up to 60 s", () => {
    let state = live(OPEN);
    const backoffs = Array.from({ length: 9 }, () => {
      const opening = state.breaker?.opening;
      const backoffMs = (opening?.retryMs ?? 0) - (opening?.atMs ?? 0);
      state = live(`${backoffMs} s-`, state);
      return backoffMs;
    });

    expect(backoffs).toEqual([
      5_000,
      7_500,
      11_250,
      16_875,
      25_312,
      37_968,
      56_952,
      BACKOFF_MS_MAX,
      BACKOFF_MS_MAX,
    ]);
  });

  test("grants no probe before it is half open, then 3 at a time", () => {
    const { taken } = live(`${OPEN} ? ${BACKOFF_MS} ? ? ? ?`);

    expect(taken.slice(5)).toEqual([false, true, true, true, false]);
  });

  test.each`
    script               | why
    ${"a+ ?"}            | ${"after a success"}
    ${"a- ?"}            | ${"after a failure"}
    ${`${PROBE_MS} ?`}   | ${"when one lapsed"}
    ${`${-3_600_000} ?`} | ${"when the clock was set back"}
  `("grants another probe $why", ({ script }) => {
    const full = live(`${HALF_OPEN} ? ? ?`);

    expect(live(script, full).taken.at(-1)).toBe(true);
  });
});

/** How the phases follow each other in a life of these words. */
function phasesIn(words: readonly string[]): string[] {
  let state: { breaker: Breaker | undefined; nowMs: number } = { breaker: undefined, nowMs: START };
  return words.map((word) => {
    const next = live(word, state);
    state = next;
    return next.phase;
  });
}

const pause = fc.constantFrom("10", "1000", "5000", "60000", "1800000", "3600000", "-5000");

describe("whatever is told", () => {
  test("one agent alone opens nothing", () => {
    const word = fc.oneof(fc.constantFrom("a-", "a~", "a+", "?", "0"), pause);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        expect(phasesIn(words)).not.toContain("OPEN");
      }),
    );
  });

  test("four strangers together open nothing, closed or half open", () => {
    const word = fc.oneof(
      fc.constantFrom(..."ABCD".split("").flatMap((who) => [`${who}-`, `${who}~`, `${who}+`])),
      fc.constantFrom("10", "60000", "?"),
    );
    const from = fc.constantFrom("", HALF_OPEN);
    fc.assert(
      fc.property(from, fc.array(word, { maxLength: 60 }), (before, words) => {
        const first = before.split(" ").filter((each) => each !== "");
        const phases = phasesIn([...first, ...words]);
        expect(phases.slice(first.length)).not.toContain("OPEN");
      }),
    );
  });

  test("one agent alone opens nothing again that is half open", () => {
    const word = fc.oneof(fc.constantFrom("a-", "a~", "a+", "?"), fc.constantFrom("10", "60000"));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const phases = phasesIn([...HALF_OPEN.split(" "), ...words]);
        expect(phases.slice(HALF_OPEN.split(" ").length)).not.toContain("OPEN");
      }),
    );
  });

  test("one friend does not keep an agent closed that a service finds failing 8 times", () => {
    const friendly = fc.array(fc.constantFrom("a+", "a-", "10"), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(friendly, { minLength: 8, maxLength: 8 }), (between) => {
        const words = between.flatMap((some) => [...some, "s-"]);
        expect(phasesIn(words)).toContain("OPEN");
      }),
    );
  });

  test("a breaker stays small, and lets somebody try after a minute at most", () => {
    const who = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    const report = fc
      .tuple(who, fc.constantFrom("-", "~", "+"), fc.constantFrom("", "1", "2", "3"))
      .map((parts) => parts.join(""));
    const word = fc.oneof(report, fc.constantFrom("!", "?"), pause);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 200 }), (words) => {
        const end = live(words.join(" "));
        expect(JSON.stringify(end.breaker ?? {}).length).toBeLessThan(5_000);
        expect(phaseOf(end.breaker, end.nowMs + BACKOFF_MS_MAX)).not.toBe("OPEN");
      }),
    );
  });
});
