import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DISPUTE_RULE_ORDER, type Facts, type Verdict, verdictOf } from "../src/ruling.ts";

const DAY = 86_400_000;
const START = new Date("2026-11-01T00:00:00Z").getTime();

/** A time so many days after the hold. */
function day(days: number): Date {
  return new Date(START + days * DAY);
}

/** A hold of 30 days for a result promised within 2 days, with 3 days to look at it. */
function aHold(facts: Partial<Facts> = {}): Facts {
  return {
    payer: "ann",
    provider: "bob",
    createdAt: day(0),
    holdMs: 30 * DAY,
    delivery: { withinMs: 2 * DAY, sha256: "", reviewMs: 3 * DAY },
    arbitration: undefined,
    delivered: undefined,
    dispute: undefined,
    ...facts,
  };
}

type Contest = NonNullable<Facts["dispute"]>;

/** The same, delivered in time and disputed on day 3: evidence until day 6, a ruling until 13. */
function aDispute(dispute: Partial<Contest> = {}, facts: Partial<Facts> = {}): Facts {
  return aHold({
    delivered: { at: day(1), sha256: "aa" },
    dispute: {
      evidenceDue: day(6),
      rulingDue: day(13),
      wasSettled: false,
      evidence: [],
      votes: [],
      ...dispute,
    },
    ...facts,
  });
}

const by = (...agents: string[]) => agents.map((agent) => ({ submitter: `agent:${agent}` }));
const vote = (arbitrator: string, shareBps: number, votedAt: Date) => ({
  arbitrator,
  shareBps,
  votedAt,
});
const agreed = (withinMs: number, sha256 = "") => ({ withinMs, sha256, reviewMs: 3 * DAY });
const delivered = (at: Date, sha256 = "aa") => ({ at, sha256 });
const panelOf = (quorum: number, ...arbitrators: string[]) => ({ arbitrators, quorum });

/** The rule, its share and the day it holds from; or the day until which nothing is due. */
function told(verdict: Verdict): string {
  const days = (at: Date) => (at.getTime() - START) / DAY;
  if (verdict.kind === "wait") return `wait until ${days(verdict.until)}`;
  return `${verdict.rule} ${verdict.providerShareBps} from ${days(verdict.at)}`;
}

describe("a hold that nobody disputes", () => {
  const untold = { delivery: undefined };
  test.each<[string, Facts, number, string]>([
    ["waits for its end", aHold(), 29, "wait until 30"],
    ["goes back at its end when nothing came", aHold(), 30, "NOT_DELIVERED 0 from 30"],
    [
      "waits for the review of what came",
      aHold({ delivered: delivered(day(1)) }),
      3,
      "wait until 4",
    ],
    [
      "is paid when the payer stayed silent",
      aHold({ delivered: delivered(day(1)) }),
      4,
      "SILENCE_ACCEPTS 10000 from 4",
    ],
    [
      "is paid after the review although the hold would be over",
      aHold({ delivered: delivered(day(29)) }),
      31,
      "wait until 32",
    ],
    [
      "is paid by silence although it came late",
      aHold({ delivered: delivered(day(20)) }),
      23,
      "SILENCE_ACCEPTS 10000 from 23",
    ],
    [
      "goes back when something came but nobody agreed that silence accepts",
      aHold({ ...untold, delivered: delivered(day(1)) }),
      30,
      "HOLD_EXPIRED 0 from 30",
    ],
    ["goes back without any terms", aHold(untold), 30, "NOT_DELIVERED 0 from 30"],
  ])("%s", (_title, facts, at, expected) => {
    expect(told(verdictOf(facts, day(at)))).toBe(expected);
  });
});

describe("a dispute ends by the first rule that holds", () => {
  const both = { evidence: by("ann", "bob") };
  const nothing = { delivered: undefined };
  test.each<[string, Facts, number, string]>([
    [
      "waits for the side that has not spoken",
      aDispute({ evidence: by("ann") }),
      5,
      "wait until 6",
    ],
    ["waits for a ruling when nobody spoke", aDispute(), 5, "wait until 13"],
    ["waits for the ruling", aDispute(both), 12, "wait until 13"],
    // NOT_DELIVERED
    [
      "not delivered in the time agreed: heard first, then refunded, whoever spoke",
      aDispute({ evidence: by("bob") }, nothing),
      6,
      "NOT_DELIVERED 0 from 6",
    ],
    [
      "not delivered: the agreed time is waited for",
      aDispute(both, { ...nothing, delivery: agreed(8 * DAY) }),
      8,
      "NOT_DELIVERED 0 from 8",
    ],
    [
      "not delivered: a dispute does not draw out the hold",
      aDispute(both, { ...nothing, holdMs: 4 * DAY }),
      4,
      "NOT_DELIVERED 0 from 4",
    ],
    [
      "not delivered by the last day: nothing is split",
      aDispute(both, { ...nothing, delivery: undefined }),
      13,
      "NOT_DELIVERED 0 from 13",
    ],
    [
      "what was settled counts as delivered",
      aDispute({ ...both, wasSettled: true }, nothing),
      13,
      "SPLIT 5000 from 13",
    ],
    // EVIDENCE_SILENCE
    ["only the payer spoke", aDispute({ evidence: by("ann") }), 6, "EVIDENCE_SILENCE 0 from 6"],
    [
      "only the provider spoke",
      aDispute({ evidence: by("bob") }),
      6,
      "EVIDENCE_SILENCE 10000 from 6",
    ],
    [
      "what others say speaks for no side",
      aDispute({ evidence: [...by("ann"), { submitter: "operator" }] }),
      6,
      "EVIDENCE_SILENCE 0 from 6",
    ],
    [
      "who is silent loses also with the right result",
      aDispute({ evidence: by("bob") }, { delivery: agreed(2 * DAY, "bb") }),
      6,
      "EVIDENCE_SILENCE 10000 from 6",
    ],
    // WRONG_RESULT and LATE
    [
      "another hash than agreed",
      aDispute(both, { delivery: agreed(DAY / 2, "bb") }),
      6,
      "WRONG_RESULT 0 from 6",
    ],
    [
      "no hash where one was agreed",
      aDispute({}, { delivery: agreed(2 * DAY, "bb"), delivered: delivered(day(1), "") }),
      6,
      "WRONG_RESULT 0 from 6",
    ],
    [
      "the hash that was agreed, in time",
      aDispute(both, { delivery: agreed(2 * DAY, "aa") }),
      6,
      "wait until 13",
    ],
    [
      "a quarter of the time late",
      aDispute(both, { delivered: delivered(day(2.5)) }),
      6,
      "LATE 7500 from 6",
    ],
    [
      "late by a third of what rounds down",
      aDispute(both, { delivered: delivered(day(2.6667)) }),
      6,
      "LATE 6666 from 6",
    ],
    [
      "late by as much as was agreed",
      aDispute(both, { delivered: delivered(day(4)) }),
      6,
      "LATE 0 from 6",
    ],
    ["late by far more", aDispute(both, { delivered: delivered(day(5)) }), 6, "LATE 0 from 6"],
    [
      "late when no time was agreed",
      aDispute(both, { delivery: agreed(0), delivered: delivered(day(5)) }),
      6,
      "wait until 13",
    ],
    [
      "late after a settlement",
      aDispute({ ...both, wasSettled: true }, { delivered: delivered(day(3)) }),
      6,
      "LATE 5000 from 6",
    ],
    // PANEL
    [
      "a panel that agrees is heard after the evidence",
      aDispute(
        { votes: [vote("jo", 3_000, day(4)), vote("kim", 3_000, day(5))] },
        { arbitration: panelOf(2, "jo", "kim", "lea") },
      ),
      6,
      "PANEL 3000 from 6",
    ],
    [
      "a panel rules with the vote that makes the quorum",
      aDispute(
        {
          votes: [vote("kim", 3_000, day(9)), vote("jo", 3_000, day(7)), vote("lea", 0, day(8))],
        },
        { arbitration: panelOf(2, "jo", "kim", "lea") },
      ),
      10,
      "PANEL 3000 from 9",
    ],
    [
      "a panel that is not of one mind",
      aDispute(
        { votes: [vote("jo", 3_000, day(7)), vote("kim", 4_000, day(7))] },
        { arbitration: panelOf(2, "jo", "kim", "lea") },
      ),
      13,
      "SPLIT 5000 from 13",
    ],
    [
      "a party on the panel has no vote, nor has a stranger",
      aDispute(
        { votes: [vote("bob", 10_000, day(7)), vote("eve", 10_000, day(7))] },
        { arbitration: panelOf(1, "bob", "kim") },
      ),
      13,
      "SPLIT 5000 from 13",
    ],
    [
      "a panel cannot mend a wrong result",
      aDispute(
        { ...both, votes: [vote("kim", 10_000, day(4))] },
        { arbitration: panelOf(1, "kim"), delivery: agreed(2 * DAY, "bb") },
      ),
      6,
      "WRONG_RESULT 0 from 6",
    ],
    // SPLIT
    ["nobody ruled", aDispute(), 13, "SPLIT 5000 from 13"],
  ])("%s", (_title, facts, at, expected) => {
    expect(told(verdictOf(facts, day(at)))).toBe(expected);
  });

  test("the rules have one order", () => {
    expect(DISPUTE_RULE_ORDER).toEqual([
      "NOT_DELIVERED",
      "EVIDENCE_SILENCE",
      "WRONG_RESULT",
      "LATE",
      "PANEL",
      "SPLIT",
    ]);
  });
});

describe("over whatever facts", () => {
  const ms = fc.integer({ min: 1, max: 40 * DAY });
  const time = ms.map((after) => new Date(START + after));
  const sha256 = fc.constantFrom("", "aa", "bb");
  const agent = fc.constantFrom("ann", "bob", "jo", "kim", "lea", "eve");
  const contest = fc
    .record({
      flaggedAt: time,
      evidenceMs: ms,
      rulingMs: ms,
      wasSettled: fc.boolean(),
      evidence: fc.array(agent, { maxLength: 4 }).map((agents) => by(...agents)),
      votes: fc.uniqueArray(
        fc.record({ arbitrator: agent, shareBps: fc.constantFrom(0, 3_000), votedAt: time }),
        { maxLength: 5, selector: ({ arbitrator }) => arbitrator },
      ),
    })
    .map(({ flaggedAt, evidenceMs, rulingMs, ...rest }) => {
      const evidenceDue = new Date(flaggedAt.getTime() + evidenceMs);
      return { ...rest, evidenceDue, rulingDue: new Date(evidenceDue.getTime() + rulingMs) };
    });
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const facts: fc.Arbitrary<Facts> = fc.record({
    payer: fc.constant("ann"),
    provider: fc.constant("bob"),
    createdAt: fc.constant(day(0)),
    holdMs: ms,
    delivery: maybe(fc.record({ withinMs: fc.oneof(fc.constant(0), ms), sha256, reviewMs: ms })),
    arbitration: maybe(
      fc.record({ arbitrators: fc.uniqueArray(agent), quorum: fc.integer({ min: 0, max: 3 }) }),
    ),
    delivered: maybe(fc.record({ at: time, sha256 })),
    dispute: maybe(contest),
  });

  /** The last day of an open transaction, told without the rules. */
  function lastDay({ createdAt, holdMs, delivery, delivered: came, dispute }: Facts): Date {
    if (dispute !== undefined) return dispute.rulingDue;
    const end = createdAt.getTime() + holdMs;
    if (came === undefined || delivery === undefined) return new Date(end);
    return new Date(Math.max(end, came.at.getTime() + delivery.reviewMs));
  }

  test("there is a ruling by the last day at the latest", () => {
    fc.assert(
      fc.property(facts, (these) => {
        expect(verdictOf(these, lastDay(these)).kind).toBe("ruling");
      }),
    );
  });

  test("waiting ends in the future, and not after the last day", () => {
    fc.assert(
      fc.property(facts, time, (these, now) => {
        const verdict = verdictOf(these, now);
        if (verdict.kind === "ruling") return;
        expect(verdict.until.getTime()).toBeGreaterThan(now.getTime());
        expect(verdict.until.getTime()).toBeLessThanOrEqual(lastDay(these).getTime());
        expect(verdictOf(these, verdict.until).kind).toBe("ruling");
      }),
    );
  });

  test("the ruling is the same however late somebody comes by", () => {
    fc.assert(
      fc.property(facts, time, ms, (these, now, laterMs) => {
        const verdict = verdictOf(these, now);
        if (verdict.kind === "wait") return;
        expect(verdictOf(these, new Date(now.getTime() + laterMs))).toEqual(verdict);
      }),
    );
  });

  test("no order of evidence or votes makes a difference where times differ", () => {
    fc.assert(
      fc.property(facts, time, (these, now) => {
        const { dispute } = these;
        if (dispute === undefined) return;
        const turned = {
          ...dispute,
          evidence: dispute.evidence.toReversed(),
          votes: dispute.votes.toReversed(),
        };
        const times = new Set(dispute.votes.map(({ votedAt }) => votedAt.getTime()));
        fc.pre(times.size === dispute.votes.length);
        expect(verdictOf({ ...these, dispute: turned }, now)).toEqual(verdictOf(these, now));
      }),
    );
  });

  test("the share is a whole number of basis points", () => {
    fc.assert(
      fc.property(facts, (these) => {
        const verdict = verdictOf(these, lastDay(these));
        const share = verdict.kind === "ruling" ? verdict.providerShareBps : Number.NaN;
        expect(Number.isInteger(share) && share >= 0 && share <= 10_000).toBe(true);
      }),
    );
  });

  test("who is silent on its own never gains by it", () => {
    fc.assert(
      fc.property(facts, (these) => {
        const { dispute } = these;
        if (dispute === undefined) return;
        const heard = (agents: string[]) =>
          verdictOf({ ...these, dispute: { ...dispute, evidence: by(...agents) } }, day(400));
        const payerAlone = heard(["ann"]);
        const providerAlone = heard(["bob"]);
        if (payerAlone.kind === "wait" || providerAlone.kind === "wait") return;
        expect(payerAlone.providerShareBps).toBeLessThanOrEqual(providerAlone.providerShareBps);
      }),
    );
  });
});
