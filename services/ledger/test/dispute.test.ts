import { describe, expect, test } from "vitest";
import { BALANCE_MAX } from "../src/account.ts";
import { type Draft, openDraft } from "../src/books.ts";
import type { Caller } from "../src/caller.ts";
import { type Command, play } from "../src/command.ts";
import { DebtsUnread } from "../src/debt.ts";
import type { Terms, Transaction } from "../src/transaction.ts";
import {
  AUCTION,
  agent,
  amountsOf,
  cancelOf,
  DAY_MS,
  depositOf,
  disputeOf,
  eur,
  OPERATOR,
  outcomeOf,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";
import { aDraft, STAMP } from "./drafts.ts";

const T1 = "01990000-0000-7000-8000-000000000001";
const T2 = "01990000-0000-7000-8000-000000000002";
const ANN = { owner: "ann", currency: "EUR" };
const BOB = { owner: "bob", currency: "EUR" };
const CARL = { owner: "carl", currency: "EUR" };

/** Does commands so many days after the books were opened, and names the outcome of the last. */
function on(day: number, draft: Draft, ...commands: readonly Command[]): string {
  const now = new Date(STAMP.now.getTime() + day * DAY_MS);
  return outcomeOf(play(draft, commands, { ...STAMP, now }).at(-1));
}

const TERMS: Partial<Terms> = {
  id: T1,
  holdMs: 30 * DAY_MS,
  delivery: { withinMs: 2 * DAY_MS, sha256: "", reviewMs: 3 * DAY_MS },
  arbitration: {
    arbitrators: ["jo", "kim", "bob"],
    quorum: 2,
    evidenceMs: 3 * DAY_MS,
    rulingMs: 7 * DAY_MS,
  },
};

const deliver = (caller: Caller = AUCTION, fields: { sha256?: string; latencyMs?: number } = {}) =>
  ({
    kind: "deliver",
    id: T1,
    caller,
    sha256: fields.sha256 ?? "aa",
    reference: "",
    latencyMs: fields.latencyMs,
  }) as const;
const say = (caller: Caller, ...notes: string[]): Command => ({
  kind: "evidence",
  id: T1,
  caller,
  evidence: notes.map((note) => ({ note, reference: "", sha256: "" })),
});
const vote = (who: string, providerShareBps = 3_000): Command => ({
  kind: "vote",
  id: T1,
  caller: agent(who),
  providerShareBps,
  reason: "so",
});
const due: Command = { kind: "due", id: T1 };
const flood = Array.from({ length: 101 }, (_, nth) => `n${nth}`);

/** Books in which transaction T1 has come into a state on the first day. */
function booksWith(
  state: "PENDING" | "DELIVERED" | "SETTLED" | "CANCELLED" | "DISPUTED" | "FROZEN",
  terms: Partial<Terms> = {},
): Draft {
  const draft = aDraft();
  const road: Record<typeof state, Command[]> = {
    PENDING: [],
    DELIVERED: [deliver()],
    SETTLED: [settleOf(T1)],
    CANCELLED: [cancelOf(T1)],
    DISPUTED: [disputeOf(T1)],
    FROZEN: [settleOf(T1), disputeOf(T1)],
  };
  on(0, draft, recordOf({ ...TERMS, ...terms }), ...road[state]);
  return draft;
}

function found(draft: Draft, id = T1): Transaction {
  const transaction = draft.transaction(id);
  if (transaction === undefined) throw new Error("there is no such transaction");
  return transaction;
}

describe("what is said of a transaction is refused with the first reason that applies", () => {
  const eve = agent("eve");
  const paidByAnn = { recorder: "agent:ann" };
  test.each<[string, number, Draft, Command, string]>([
    ["a delivery", 0, aDraft(), deliver(), "TRANSACTION_NOT_FOUND"],
    ["a delivery", 0, booksWith("SETTLED"), deliver(eve), "TRANSACTION_NOT_FOUND"],
    ["a delivery", 0, booksWith("SETTLED"), deliver(agent("bob")), "NOT_TRANSACTION_PARTY"],
    [
      "a delivery",
      0,
      booksWith("PENDING", paidByAnn),
      deliver(agent("ann")),
      "NOT_TRANSACTION_PARTY",
    ],
    ["a delivery", 0, booksWith("PENDING", paidByAnn), deliver(agent("bob")), "PENDING"],
    ["a delivery", 0, booksWith("SETTLED"), deliver(), "INVALID_TRANSACTION_STATE"],
    ["a delivery", 0, booksWith("FROZEN"), deliver(), "INVALID_TRANSACTION_STATE"],
    [
      "a delivery",
      1,
      booksWith("DELIVERED"),
      deliver(AUCTION, { sha256: "bb" }),
      "ALREADY_DELIVERED_DIFFERENTLY",
    ],
    ["a delivery", 1, booksWith("DELIVERED"), deliver(), "PENDING"],
    ["a delivery", 1, booksWith("DISPUTED"), deliver(), "DISPUTED"],
    ["evidence", 0, booksWith("SETTLED"), say(eve, "a"), "TRANSACTION_NOT_FOUND"],
    ["evidence", 0, booksWith("SETTLED"), say(agent("jo"), "a"), "NOT_TRANSACTION_PARTY"],
    ["evidence", 0, booksWith("SETTLED"), say(agent("ann"), "a"), "INVALID_TRANSACTION_STATE"],
    ["evidence", 3, booksWith("FROZEN"), say(agent("ann"), ...flood), "EVIDENCE_TOO_LATE"],
    ["evidence", 2, booksWith("FROZEN"), say(agent("ann"), ...flood), "TOO_MUCH_EVIDENCE"],
    ["evidence", 2, booksWith("FROZEN"), say(agent("ann"), ...flood.slice(1)), "DISPUTED"],
    ["a vote", 0, booksWith("SETTLED"), vote("eve"), "TRANSACTION_NOT_FOUND"],
    ["a vote", 0, booksWith("SETTLED"), vote("ann"), "NOT_ARBITRATOR"],
    ["a vote of a party that is named", 0, booksWith("SETTLED"), vote("bob"), "NOT_ARBITRATOR"],
    ["a vote", 0, booksWith("SETTLED"), vote("jo"), "INVALID_TRANSACTION_STATE"],
    ["a vote", 0, booksWith("FROZEN"), vote("jo"), "DISPUTED"],
  ])("%s on day %i (%#)", (_deed, day, draft, command, reason) => {
    expect(on(day, draft, command)).toBe(reason);
  });

  test("the same evidence is kept once, also when it comes again too late", () => {
    const draft = booksWith("FROZEN");

    on(1, draft, say(agent("ann"), "late", "late"), say(agent("bob"), "late"));

    expect(on(4, draft, say(agent("ann"), "late"))).toBe("DISPUTED");
    expect(found(draft).dispute?.evidence).toHaveLength(2);
  });

  test("an arbitrator may think again until there is a ruling", () => {
    const draft = booksWith("FROZEN");

    on(4, draft, vote("jo", 1), vote("jo", 3_000));

    expect(found(draft).dispute?.votes).toMatchObject([{ arbitrator: "jo", shareBps: 3_000 }]);
    expect(on(5, draft, vote("kim"))).toBe("SETTLED");
    expect(on(5, draft, vote("jo", 1))).toBe("INVALID_TRANSACTION_STATE");
    expect(found(draft)).toMatchObject({ settled: 30n, dispute: { ruling: { rule: "PANEL" } } });
  });

  test("a settlement is final after a while, but for an operator", () => {
    const days = 90;

    expect(on(days - 0.1, booksWith("SETTLED"), disputeOf(T1))).toBe("DISPUTED");
    expect(on(days, booksWith("SETTLED"), disputeOf(T1))).toBe("DISPUTE_TOO_LATE");
    const byOperator = { ...disputeOf(T1), caller: OPERATOR };
    expect(on(days, booksWith("SETTLED"), byOperator)).toBe("DISPUTED");
  });

  test("a dispute after settlement is refused when an account is closed", () => {
    const draft = booksWith("SETTLED");
    on(1, draft, depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(100) }));
    on(1, draft, { kind: "status", ...BOB, status: "CLOSED" });

    expect(on(1, draft, disputeOf(T1))).toBe("ACCOUNT_CLOSED");
  });
});

describe("a rule that is due comes before whatever is asked", () => {
  test.each<[string, Draft, number, Command, string, string]>([
    [
      "settled too late",
      booksWith("PENDING"),
      30,
      settleOf(T1),
      "INVALID_TRANSACTION_STATE",
      "NOT_DELIVERED",
    ],
    [
      "cancelled too late",
      booksWith("DELIVERED"),
      3,
      cancelOf(T1),
      "INVALID_TRANSACTION_STATE",
      "SILENCE_ACCEPTS",
    ],
    [
      "disputed too late to keep the hold",
      booksWith("PENDING"),
      30,
      disputeOf(T1),
      "INVALID_TRANSACTION_STATE",
      "NOT_DELIVERED",
    ],
    [
      "delivered too late",
      booksWith("PENDING"),
      30,
      deliver(),
      "INVALID_TRANSACTION_STATE",
      "NOT_DELIVERED",
    ],
    ["recorded again", booksWith("PENDING"), 30, recordOf(TERMS), "CANCELLED", "NOT_DELIVERED"],
    ["looked after", booksWith("DELIVERED"), 3, due, "SETTLED", "SILENCE_ACCEPTS"],
    ["looked after before it is due", booksWith("DELIVERED"), 2, due, "PENDING", ""],
    ["settled again", booksWith("DELIVERED"), 3, settleOf(T1), "SETTLED", "SILENCE_ACCEPTS"],
  ])("%s", (_title, draft, day, command, outcome, rule) => {
    expect(on(day, draft, command)).toBe(outcome);
    expect(found(draft).endRule ?? "").toBe(rule);
    expect(amountsOf(draft.account(ANN)).held).toBe(rule === "" ? 100n : 0n);
  });

  test("a dispute stops the time of the hold, and ends by its own", () => {
    const draft = booksWith("DELIVERED");
    on(2, draft, disputeOf(T1), say(agent("ann"), "a"), say(agent("bob"), "b"));

    expect(found(draft).hold).toMatchObject({ amount: 100n, dueAt: undefined });
    expect(on(11.9, draft, settleOf(T1))).toBe("INVALID_TRANSACTION_STATE");
    expect(found(draft).state).toBe("DISPUTED");
    expect(on(12, draft, due)).toBe("SETTLED");
    expect(found(draft)).toMatchObject({ settled: 50n, dispute: { ruling: { rule: "SPLIT" } } });
    expect(amountsOf(draft.account(ANN))).toEqual({ posted: 950n, held: 0n });
  });

  test("an operator may rule before a rule does, and not after", () => {
    const draft = booksWith("FROZEN");

    expect(on(9.9, draft, resolveOf(T1, 10_000))).toBe("SETTLED");
    expect(found(draft).dispute?.ruling).toMatchObject({ rule: "OPERATOR", ruledBy: "operator" });
    expect(on(10, booksWith("FROZEN"), resolveOf(T1, 10_000))).toBe("INVALID_TRANSACTION_STATE");
  });

  test("a settlement by silence can still be disputed", () => {
    const draft = booksWith("DELIVERED");

    expect(on(4, draft, disputeOf(T1))).toBe("DISPUTED");
    expect(found(draft)).toMatchObject({ endRule: "SILENCE_ACCEPTS", hold: { amount: 100n } });
  });

  test("the time that a service measured counts, and never one to come", () => {
    const [late, never] = [booksWith("PENDING"), booksWith("PENDING")];
    on(3, late, deliver(AUCTION, { latencyMs: DAY_MS }));
    on(3, never, deliver(AUCTION, { latencyMs: 9 * DAY_MS }));

    expect(found(late).delivered?.at).toEqual(new Date(STAMP.now.getTime() + DAY_MS));
    expect(found(never).delivered?.at).toEqual(new Date(STAMP.now.getTime() + 3 * DAY_MS));
  });

  test("what would take a balance out of range waits, and does not stand in the way", () => {
    const draft = aDraft({ accounts: { bob: { creditsPosted: BALANCE_MAX } } });
    on(0, draft, recordOf(TERMS), deliver());

    expect(on(3, draft, due)).toBe("PENDING");
    on(3, draft, depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(100) }));
    expect(on(3, draft, due)).toBe("SETTLED");
  });
});

describe("what a provider has to give back", () => {
  test.each([
    ["nothing of its own", 100, { frozen: 0n, owed: 100n }],
    ["less of its own", 70, { frozen: 30n, owed: 70n }],
  ])(
    "is frozen as far as it is its own, and never on credit: with %s the rest is owed",
    (_case, spent, expected) => {
      const draft = booksWith("SETTLED");
      const limit: Command = { kind: "limit", owner: "bob", limit: eur(500) };
      const spend = recordOf({ id: T2, payer: "bob", provider: "carl", amount: eur(spent) });
      on(2, draft, limit, spend, settleOf(T2));

      expect(on(2, draft, disputeOf(T1))).toBe("DISPUTED");

      const { hold, owed } = found(draft);
      expect({ frozen: hold?.amount ?? 0n, owed }).toEqual(expected);
      expect(draft.account(BOB)?.owed).toBe(expected.owed);
    },
  );

  /** `bob` was paid 100 by `ann`, has spent 70 of it, and it is disputed. */
  function spent(): Draft {
    const draft = booksWith("SETTLED");
    on(0, draft, depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(70) }));
    on(0, draft, disputeOf(T1));
    return draft;
  }

  test("is frozen as far as it is there; the rest is owed", () => {
    const draft = spent();

    expect(found(draft)).toMatchObject({ owed: 70n, hold: { amount: 30n } });
    expect(draft.account(BOB)).toMatchObject({ debitsHeld: 30n, owed: 70n });
  });

  test("is added to what is frozen while the dispute lasts, before anything else", () => {
    const draft = spent();
    const [deposited] = play(draft, [depositOf({ owner: "bob", amount: eur(50) })], STAMP);

    expect(deposited).toMatchObject({ account: { debitsHeld: 80n, owed: 20n } });
    expect(found(draft)).toMatchObject({ owed: 20n, hold: { amount: 80n } });
    on(1, draft, depositOf({ owner: "bob", amount: eur(50) }));
    expect(draft.account(BOB)).toMatchObject({ debitsHeld: 100n, owed: 0n });
    expect(on(1, draft, depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(31) }))).toBe(
      "INSUFFICIENT_FUNDS",
    );
  });

  test("is paid to the payer after the ruling, from whatever comes in", () => {
    const draft = spent();
    on(1, draft, resolveOf(T1, 0));
    expect(found(draft)).toMatchObject({ state: "CANCELLED", owed: 70n });

    on(2, draft, depositOf({ owner: "bob", amount: eur(20) }));
    expect(found(draft)).toMatchObject({ owed: 50n });
    on(2, draft, recordOf({ id: T2, amount: eur(200) }), settleOf(T2));

    expect(found(draft)).toMatchObject({ state: "CANCELLED", owed: 0n });
    expect(draft.account(BOB)).toMatchObject({ owed: 0n });
    expect(amountsOf(draft.account(BOB)).posted).toBe(150n);
    expect(amountsOf(draft.account(ANN)).posted).toBe(800n);
    const paid = draft.changed.movements.filter(({ kind }) => kind === "TRANSFER");
    expect(paid.map(({ amount, transactionId }) => [amount, transactionId])).toContainEqual([
      50n,
      T1,
    ]);
  });

  test("is less when the ruling leaves a part of it to the provider", () => {
    const draft = spent();
    on(1, draft, resolveOf(T1, 5_000));

    expect(found(draft)).toMatchObject({ state: "SETTLED", settled: 50n, owed: 20n });
    expect(draft.account(BOB)).toMatchObject({ debitsHeld: 0n, owed: 20n });
  });

  test("is passed on by a payer who owes too", () => {
    const draft = spent();
    on(0, draft, recordOf({ id: T2, payer: "carl", provider: "ann", amount: eur(10) }));
    on(0, draft, depositOf({ owner: "carl", amount: eur(900) }));
    on(
      0,
      draft,
      recordOf({ id: T2.replace(/2$/, "3"), payer: "carl", provider: "ann", amount: eur(900) }),
    );
    on(0, draft, settleOf(T2.replace(/2$/, "3")));
    on(0, draft, depositOf({ transfer: "WITHDRAWAL", amount: eur(1_800) }));
    on(1, draft, disputeOf(T2.replace(/2$/, "3")), resolveOf(T2.replace(/2$/, "3"), 0));
    on(1, draft, resolveOf(T1, 0));
    expect(draft.account(ANN)).toMatchObject({ owed: 870n });

    on(2, draft, depositOf({ owner: "bob", amount: eur(70) }));

    expect(amountsOf(draft.account(CARL)).posted).toBe(100n);
    expect(draft.account(ANN)).toMatchObject({ owed: 800n });
    expect(amountsOf(draft.account(ANN)).posted).toBe(0n);
  });

  test("waits when the payer's account is closed", () => {
    const draft = spent();
    on(1, draft, resolveOf(T1, 0));
    on(1, draft, depositOf({ transfer: "WITHDRAWAL", amount: eur(930) }));
    on(1, draft, { kind: "status", ...ANN, status: "CLOSED" });
    on(2, draft, depositOf({ owner: "bob", amount: eur(70) }));
    expect(draft.account(BOB)).toMatchObject({ owed: 70n });

    on(3, draft, { kind: "status", ...ANN, status: "OPEN" });
    on(3, draft, depositOf({ owner: "bob", amount: eur(1) }));
    expect(amountsOf(draft.account(ANN)).posted).toBe(70n);
  });

  test("cannot be taken from books that were read without it", () => {
    const before = spent();
    const [ann, bob] = [before.account(ANN), before.account(BOB)];
    const rows = { transactions: [], burnt: [], transfers: [] };
    const world = aDraft().account({ owner: "@world", currency: "EUR" });
    const accounts = [ann, bob, world].filter((account) => account !== undefined);
    const deposit = depositOf({ owner: "bob", amount: eur(1) });

    expect(() => play(openDraft({ ...rows, accounts }), [deposit], STAMP)).toThrow(DebtsUnread);
  });
});
