import { describe, expect, test } from "vitest";
import {
  type Declaration,
  isNews,
  type Load,
  loadAt,
  NO_LOAD,
  nextHeartbeatMs,
  REPORT_MS,
  stateOf,
} from "../src/availability.ts";

const NOON = new Date("2026-11-20T12:00:00Z");
const before = new Date(NOON.getTime() - 1);
const after = new Date(NOON.getTime() + 1);

function aDeclaration(overrides: Partial<Declaration> = {}): Declaration {
  return {
    declaredState: "ONLINE",
    leaseMs: undefined,
    maxConcurrent: 3,
    unregisteredAt: undefined,
    ...overrides,
  };
}

function aLoad(overrides: Partial<Load> = {}): Load {
  return { ...NO_LOAD, ...overrides };
}

function aPresence(
  overrides: {
    inFlight?: number;
    openSlots?: number;
    leaseExpireAt?: Date;
    staleSince?: Date;
  } = {},
) {
  const { inFlight = 0, openSlots = 0, leaseExpireAt, staleSince } = overrides;
  const dates = { slotsChangedAt: undefined, heardAt: before, leaseExpireAt };
  const stale = staleSince && { staleSince };
  return { reported: aLoad({ inFlight }), openSlots, ...dates, ...stale };
}

describe("the state of an agent", () => {
  test.each`
    declared         | leaseMs      | expires      | inFlight | state            | because
    ${"ONLINE"}      | ${undefined} | ${undefined} | ${0}     | ${"ONLINE"}      | ${"it says so"}
    ${"BUSY"}        | ${undefined} | ${undefined} | ${0}     | ${"BUSY"}        | ${"it says so"}
    ${"OFFLINE"}     | ${undefined} | ${undefined} | ${0}     | ${"OFFLINE"}     | ${"it says so"}
    ${"MAINTENANCE"} | ${undefined} | ${undefined} | ${3}     | ${"MAINTENANCE"} | ${"only ONLINE becomes BUSY"}
    ${"ONLINE"}      | ${undefined} | ${undefined} | ${2}     | ${"ONLINE"}      | ${"it takes one more"}
    ${"ONLINE"}      | ${undefined} | ${undefined} | ${3}     | ${"BUSY"}        | ${"it is full"}
    ${"ONLINE"}      | ${undefined} | ${undefined} | ${4}     | ${"BUSY"}        | ${"it is more than full"}
    ${"ONLINE"}      | ${10}        | ${after}     | ${0}     | ${"ONLINE"}      | ${"its lease holds"}
    ${"ONLINE"}      | ${10}        | ${NOON}      | ${0}     | ${"OFFLINE"}     | ${"its lease lapses now"}
    ${"ONLINE"}      | ${10}        | ${before}    | ${3}     | ${"OFFLINE"}     | ${"it has lapsed, full or not"}
    ${"MAINTENANCE"} | ${10}        | ${before}    | ${0}     | ${"OFFLINE"}     | ${"its lease has lapsed"}
    ${"ONLINE"}      | ${10}        | ${undefined} | ${0}     | ${"OFFLINE"}     | ${"its lease was lost"}
    ${"ONLINE"}      | ${undefined} | ${before}    | ${0}     | ${"ONLINE"}      | ${"it has no lease any more"}
  `("is $state when $because", ({ declared, leaseMs, expires, inFlight, state }) => {
    const declaration = aDeclaration({ declaredState: declared, leaseMs });

    expect(stateOf(declaration, aPresence({ inFlight, leaseExpireAt: expires }), NOON)).toBe(state);
  });

  test("is OFFLINE when nothing is known of its lease, and as declared when it has none", () => {
    expect(stateOf(aDeclaration({ leaseMs: 10 }), undefined, NOON)).toBe("OFFLINE");
    expect(stateOf(aDeclaration(), undefined, NOON)).toBe("ONLINE");
  });

  test.each`
    since        | expires   | inFlight | state        | because
    ${before}    | ${NOON}   | ${0}     | ${"ONLINE"}  | ${"its lease held when the store was lost"}
    ${before}    | ${NOON}   | ${3}     | ${"BUSY"}    | ${"so did what it reported"}
    ${NOON}      | ${NOON}   | ${0}     | ${"OFFLINE"} | ${"its lease had lapsed when the store was lost"}
    ${after}     | ${NOON}   | ${0}     | ${"OFFLINE"} | ${"a clock runs behind"}
    ${undefined} | ${before} | ${0}     | ${"OFFLINE"} | ${"the store is there"}
  `("is $state while the store is away when $because", ({ since, expires, inFlight, state }) => {
    const declaration = aDeclaration({ leaseMs: 10 });
    const presence = aPresence({ inFlight, leaseExpireAt: expires, staleSince: since });

    expect(stateOf(declaration, presence, NOON)).toBe(state);
  });

  test("is OFFLINE once it was unregistered", () => {
    expect(stateOf(aDeclaration({ unregisteredAt: before }), aPresence(), NOON)).toBe("OFFLINE");
  });
});

describe("what an agent has to do", () => {
  test("is what it reports, and its open slots", () => {
    const presence = {
      ...aPresence({ openSlots: 2 }),
      reported: aLoad({ inFlight: 1, queueLength: 4 }),
    };

    expect(loadAt(presence, NOON)).toEqual(aLoad({ inFlight: 3, queueLength: 4 }));
    expect(stateOf(aDeclaration(), presence, NOON)).toBe("BUSY");
  });

  test("is only its open slots once its lease has lapsed", () => {
    const presence = aPresence({ inFlight: 3, openSlots: 1, leaseExpireAt: NOON });

    expect(loadAt(presence, before).inFlight).toBe(4);
    expect(loadAt(presence, NOON)).toEqual(aLoad({ inFlight: 1 }));
  });

  test("is only its open slots once an agent without a lease was not heard of for ten minutes", () => {
    const presence = aPresence({ inFlight: 3, openSlots: 1 });
    const end = new Date(presence.heardAt.getTime() + REPORT_MS);

    expect(loadAt(presence, new Date(end.getTime() - 1)).inFlight).toBe(4);
    expect(loadAt(presence, end)).toEqual(aLoad({ inFlight: 1 }));
  });

  test("is nothing when nothing is known", () => {
    expect(loadAt(undefined, NOON)).toEqual(NO_LOAD);
  });
});

describe("a sign of life is news", () => {
  test.each`
    was          | told   | inFlight | now    | expires | news     | because
    ${undefined} | ${0}   | ${0}     | ${100} | ${0}    | ${false} | ${"nothing has changed"}
    ${undefined} | ${0}   | ${1}     | ${100} | ${0}    | ${true}  | ${"it works on something"}
    ${undefined} | ${0}   | ${0}     | ${100} | ${200}  | ${true}  | ${"its lease begins"}
    ${200}       | ${200} | ${0}     | ${100} | ${0}    | ${true}  | ${"its lease ends"}
    ${200}       | ${200} | ${0}     | ${124} | ${224}  | ${false} | ${"less than a quarter has passed"}
    ${200}       | ${200} | ${0}     | ${125} | ${225}  | ${true}  | ${"a quarter has passed"}
    ${224}       | ${200} | ${0}     | ${125} | ${225}  | ${true}  | ${"a quarter has passed since the last one told"}
    ${200}       | ${200} | ${0}     | ${200} | ${210}  | ${true}  | ${"it comes back"}
    ${200}       | ${200} | ${0}     | ${101} | ${150}  | ${true}  | ${"its lease is shorter now"}
  `("($news) when $because", ({ was, told, inFlight, now, expires, news }) => {
    const earlier =
      was === undefined
        ? undefined
        : {
            reported: NO_LOAD,
            leaseExpireMs: was,
            heardMs: 0,
            toldExpireMs: told,
            toldUtilizationPpm: 0,
          };

    const after = { reported: aLoad({ inFlight }), leaseExpireMs: expires };
    expect(isNews(earlier, after, now)).toBe(news);
  });

  test.each`
    load                           | told       | news     | because
    ${{ queueLength: 1 }}          | ${0}       | ${true}  | ${"more waits"}
    ${{ utilizationPpm: 99_999 }}  | ${0}       | ${false} | ${"utilization has moved by less than a tenth"}
    ${{ utilizationPpm: 100_000 }} | ${0}       | ${true}  | ${"utilization has moved by a tenth"}
    ${{ utilizationPpm: 150_000 }} | ${100_000} | ${false} | ${"it has moved by less since it was told"}
    ${{}}                          | ${100_000} | ${true}  | ${"it is not said any more"}
  `("($news) when $because", ({ load, told, news }) => {
    const earlier = {
      reported: NO_LOAD,
      leaseExpireMs: 0,
      heardMs: 0,
      toldExpireMs: 0,
      toldUtilizationPpm: told,
    };

    expect(isNews(earlier, { reported: aLoad(load), leaseExpireMs: 0 }, 100)).toBe(news);
  });

  test.each`
    nowMs            | news     | because
    ${REPORT_MS - 1} | ${false} | ${"it says the same"}
    ${REPORT_MS}     | ${true}  | ${"it says the same after that was forgotten"}
  `("($news) when $because", ({ nowMs, news }) => {
    const report = { reported: aLoad({ inFlight: 1 }), leaseExpireMs: 0 };
    const earlier = { ...report, heardMs: 0, toldExpireMs: 0, toldUtilizationPpm: 0 };

    expect(isNews(earlier, report, nowMs)).toBe(news);
  });
});

test("the next heartbeat is due within a third of the lease", () => {
  expect(nextHeartbeatMs(30_000)).toBe(10_000);
  expect(nextHeartbeatMs(1_000)).toBe(333);
});
