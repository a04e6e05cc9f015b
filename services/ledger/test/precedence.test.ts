import { randomUUIDv7 } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Account, BALANCE_MAX, ISSUER, WORLD } from "../src/account.ts";
import { type Draft, openDraft, type Transfer } from "../src/books.ts";
import type { Caller } from "../src/caller.ts";
import { type Command, play } from "../src/command.ts";
import { shareOf } from "../src/resolution.ts";
import type { Terms } from "../src/transaction.ts";
import { WINDOWS } from "../src/windows.ts";
import {
  AUCTION,
  agent,
  amountsOf,
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  OPERATOR,
  outcomeOf,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";

const stamp = { now: new Date("2026-11-21T10:00:00Z"), newId: () => randomUUIDv7() };
const ANN = { owner: "ann", currency: "EUR" };
const BOB = { owner: "bob", currency: "EUR" };
const T1 = "01990000-0000-7000-8000-000000000001";

function anAccount(id: number, owner: string, posted: bigint): Account {
  return {
    id: BigInt(id),
    owner,
    currency: "EUR",
    debitsPosted: posted < 0n ? -posted : 0n,
    creditsPosted: posted < 0n ? 0n : posted,
    debitsHeld: 0n,
    creditsHeld: 0n,
    creditLimit: 0n,
    owed: 0n,
    status: "OPEN",
    createdAt: stamp.now,
  };
}

/** Books in which `ann` has 1,000 micros and `bob` nothing, with what is given on top. */
function theBooks(
  rows: { burnt?: Terms[]; transfers?: Transfer[]; posted?: Record<string, bigint> } = {},
): Draft {
  const posted: Record<string, bigint> = { ann: 1_000n, bob: 0n, [WORLD]: -1_000n, ...rows.posted };
  return openDraft({
    accounts: [...Object.keys(posted), "carl", ISSUER].map((owner, nth) =>
      anAccount(nth + 1, owner, posted[owner] ?? 0n),
    ),
    transactions: [],
    burnt: rows.burnt ?? [],
    transfers: rows.transfers ?? [],
  });
}

function theOutcome(draft: Draft, ...commands: readonly Command[]): string {
  return outcomeOf(play(draft, commands, stamp).at(-1));
}

/** Books in which transaction T1 has come into a state. */
function booksWith(state: "PENDING" | "SETTLED" | "CANCELLED" | "DISPUTED" | "RULED"): Draft {
  const draft = theBooks();
  const road: Record<typeof state, Command[]> = {
    PENDING: [],
    SETTLED: [settleOf(T1, eur(60))],
    CANCELLED: [cancelOf(T1)],
    DISPUTED: [disputeOf(T1)],
    RULED: [disputeOf(T1), resolveOf(T1, 5_000)],
  };
  play(draft, [recordOf({ id: T1 }), ...road[state]], stamp);
  return draft;
}

describe("recording refuses with the first of its reasons that applies", () => {
  const known = { id: T1 };
  const burnt = recordOf({ id: T1, amount: eur(5_000) }).terms;
  // Each row breaks the rule it names and all of those below it that can be broken at once.
  test.each<[string, Draft, Partial<Terms>]>([
    ["SAME_PARTY", booksWith("PENDING"), { ...known, provider: "ann", amount: eur(9_999) }],
    ["TRANSACTION_ID_REUSED", booksWith("PENDING"), { ...known, amount: eur(9_999) }],
    ["TRANSACTION_ID_REUSED", theBooks({ burnt: [burnt] }), { ...known, amount: eur(9_999) }],
    ["TRANSACTION_ID_BURNT", theBooks({ burnt: [burnt] }), { ...known, amount: eur(5_000) }],
    ["INSUFFICIENT_FUNDS", theBooks(), { amount: eur(1_001) }],
    ["INSUFFICIENT_FUNDS", theBooks(), { payer: "nobody" }],
    ["PENDING", theBooks(), { amount: eur(1_000) }],
  ])("%s", (reason, draft, terms) => {
    expect(theOutcome(draft, recordOf(terms))).toBe(reason);
  });

  test.each<[string, Partial<Terms>]>([
    ["payer", { payer: "carl" }],
    ["provider", { provider: "carl" }],
    ["capability", { capability: "sing" }],
    ["amount.micros", { amount: eur(101) }],
    ["amount.currency_code", { amount: { micros: 100n, currency: "SAT" } }],
    ["context", { context: { a: 1 } }],
    ["recorder", { recorder: "agent:ann" }],
  ])("another %s under the same id is named", (field, terms) => {
    const [answer] = play(booksWith("SETTLED"), [recordOf({ id: T1, ...terms })], stamp);

    expect(answer?.kind === "refused" && answer.refusal.metadata["field"]).toBe(field);
  });

  test("the order of names in a context makes no difference", () => {
    const first = recordOf({ id: T1, context: { a: 1, b: { c: 2, d: 3 } } });
    const again = recordOf({ id: T1, context: { b: { d: 3, c: 2 }, a: 1 } });

    expect(theOutcome(theBooks(), first, again)).toBe("PENDING");
  });
});

describe("settling refuses with the first of its reasons that applies", () => {
  const sat = { micros: 9_999n, currency: "SAT" };
  const by = (caller: Caller, amount = sat): Command => ({
    kind: "settle",
    id: T1,
    amount,
    caller,
  });
  test.each<[string, Draft, Command]>([
    ["TRANSACTION_NOT_FOUND", theBooks(), by(agent("eve"))],
    ["TRANSACTION_NOT_FOUND", booksWith("CANCELLED"), by(agent("eve"))],
    ["NOT_TRANSACTION_PARTY", booksWith("CANCELLED"), by(agent("ann"))],
    ["NOT_TRANSACTION_PARTY", booksWith("CANCELLED"), by({ kind: "service", id: "registry" })],
    ["INVALID_TRANSACTION_STATE", booksWith("CANCELLED"), by(AUCTION)],
    ["INVALID_TRANSACTION_STATE", booksWith("DISPUTED"), by(OPERATOR)],
    ["CURRENCY_MISMATCH", booksWith("SETTLED"), by(AUCTION)],
    ["CURRENCY_MISMATCH", booksWith("PENDING"), by(AUCTION)],
    ["AMOUNT_EXCEEDS_HOLD", booksWith("SETTLED"), by(AUCTION, eur(101))],
    ["ALREADY_SETTLED_DIFFERENTLY", booksWith("SETTLED"), by(AUCTION, eur(61))],
    ["ALREADY_SETTLED_DIFFERENTLY", booksWith("SETTLED"), settleOf(T1)],
    ["SETTLED", booksWith("SETTLED"), by(AUCTION, eur(60))],
    ["SETTLED", booksWith("PENDING"), settleOf(T1)],
  ])("%s (%#)", (reason, draft, command) => {
    expect(theOutcome(draft, command)).toBe(reason);
  });

  test("BALANCE_OUT_OF_RANGE comes last, and then nothing has moved", () => {
    const draft = theBooks({ posted: { bob: BALANCE_MAX } });

    const outcome = theOutcome(draft, recordOf({ id: T1 }), settleOf(T1));

    expect(outcome).toBe("BALANCE_OUT_OF_RANGE");
    expect(draft.transaction(T1)?.state).toBe("PENDING");
    expect(amountsOf(draft.account(ANN)).held).toBe(100n);
  });
});

describe("the other deeds refuse with the first of their reasons that applies", () => {
  const eve = agent("eve");
  const flood = Array.from({ length: 101 }, (_, nth) => ({
    note: `n${nth}`,
    reference: "",
    sha256: "",
  }));
  const flag = (caller: Caller, evidence = flood): Command => ({
    kind: "dispute",
    id: T1,
    caller,
    evidence,
    windows: WINDOWS,
  });
  test.each<[string, string, Draft, Command]>([
    [
      "cancel",
      "TRANSACTION_NOT_FOUND",
      booksWith("SETTLED"),
      { kind: "cancel", id: T1, caller: eve },
    ],
    [
      "cancel",
      "NOT_TRANSACTION_PARTY",
      booksWith("SETTLED"),
      { kind: "cancel", id: T1, caller: agent("bob") },
    ],
    ["cancel", "INVALID_TRANSACTION_STATE", booksWith("SETTLED"), cancelOf(T1)],
    ["cancel", "INVALID_TRANSACTION_STATE", booksWith("DISPUTED"), cancelOf(T1)],
    ["cancel", "CANCELLED", booksWith("CANCELLED"), cancelOf(T1)],
    ["dispute", "TRANSACTION_NOT_FOUND", booksWith("CANCELLED"), flag(eve)],
    [
      "dispute",
      "NOT_TRANSACTION_PARTY",
      booksWith("CANCELLED"),
      flag({ kind: "service", id: "x" }),
    ],
    ["dispute", "INVALID_TRANSACTION_STATE", booksWith("CANCELLED"), flag(agent("ann"))],
    ["dispute", "DISPUTE_ALREADY_DECIDED", booksWith("RULED"), flag(agent("ann"))],
    ["dispute", "TOO_MUCH_EVIDENCE", booksWith("PENDING"), flag(agent("ann"))],
    ["dispute", "DISPUTED", booksWith("PENDING"), flag(agent("bob"), flood.slice(0, 100))],
    ["resolve", "TRANSACTION_NOT_FOUND", theBooks(), resolveOf(T1, 1)],
    ["resolve", "INVALID_TRANSACTION_STATE", booksWith("PENDING"), resolveOf(T1, 1)],
    ["resolve", "INVALID_TRANSACTION_STATE", booksWith("RULED"), resolveOf(T1, 1)],
    ["resolve", "SETTLED", booksWith("DISPUTED"), resolveOf(T1, 10_000)],
    ["resolve", "CANCELLED", booksWith("DISPUTED"), resolveOf(T1, 0)],
  ])("%s: %s (%#)", (_deed, reason, draft, command) => {
    expect(theOutcome(draft, command)).toBe(reason);
  });
});

describe("transfers refuse with the first of their reasons that applies", () => {
  const burnt: Transfer = {
    kind: "WITHDRAWAL",
    id: "x",
    owner: "ann",
    currency: "EUR",
    amount: 5_000n,
    taskId: "",
    burnt: true,
  };
  const done: Transfer = { ...burnt, kind: "DEPOSIT", burnt: false };
  const withdraw = (micros: number): Command =>
    depositOf({ transfer: "WITHDRAWAL", id: "x", amount: eur(micros) });
  test.each<[string, Draft, Command]>([
    ["DEPOSIT_ID_REUSED", theBooks({ transfers: [done] }), depositOf({ id: "x", owner: "bob" })],
    [
      "CREDIT_ID_REUSED",
      theBooks({ transfers: [{ ...done, kind: "CREDIT" }] }),
      depositOf({ transfer: "CREDIT", id: "x" }),
    ],
    ["WITHDRAWAL_ID_REUSED", theBooks({ transfers: [burnt] }), withdraw(5_001)],
    ["WITHDRAWAL_ID_BURNT", theBooks({ transfers: [burnt] }), withdraw(5_000)],
    ["INSUFFICIENT_FUNDS", theBooks(), withdraw(1_001)],
    ["BALANCE_OUT_OF_RANGE", theBooks({ posted: { ann: BALANCE_MAX } }), depositOf()],
    ["BALANCE_OUT_OF_RANGE", theBooks({ posted: { [WORLD]: -BALANCE_MAX } }), depositOf()],
    ["ok", theBooks({ transfers: [done] }), depositOf({ id: "x", amount: eur(5_000) })],
    ["ok", theBooks(), withdraw(1_000)],
  ])("%s (%#)", (reason, draft, command) => {
    expect(theOutcome(draft, command)).toBe(reason);
  });
});

describe("a dispute after settlement", () => {
  test.each`
    spent   | credit  | frozen  | share     | kept    | back    | owed
    ${0n}   | ${0n}   | ${100n} | ${10_000} | ${100n} | ${0n}   | ${0n}
    ${0n}   | ${0n}   | ${100n} | ${0}      | ${0n}   | ${100n} | ${0n}
    ${0n}   | ${0n}   | ${100n} | ${2_500}  | ${25n}  | ${75n}  | ${0n}
    ${40n}  | ${0n}   | ${60n}  | ${0}      | ${0n}   | ${60n}  | ${40n}
    ${40n}  | ${0n}   | ${60n}  | ${5_000}  | ${50n}  | ${50n}  | ${0n}
    ${100n} | ${0n}   | ${0n}   | ${2_500}  | ${25n}  | ${0n}   | ${75n}
    ${100n} | ${500n} | ${0n}   | ${0}      | ${0n}   | ${0n}   | ${100n}
  `(
    "freezes $frozen when $spent of 100 is spent; a share of $share bps gives $back back and leaves $owed owed",
    ({ spent, credit, frozen, share, kept, back, owed }) => {
      const draft = theBooks();
      play(draft, [recordOf({ id: T1 }), settleOf(T1)], stamp);
      play(draft, [{ kind: "limit", owner: "bob", limit: eur(credit) }], stamp);
      if (spent > 0n) {
        play(
          draft,
          [depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(spent) })],
          stamp,
        );
      }

      play(draft, [disputeOf(T1)], stamp);
      const { held } = amountsOf(draft.account(BOB));
      play(draft, [resolveOf(T1, share)], stamp);

      expect(held).toBe(frozen);
      expect(draft.transaction(T1)).toMatchObject({ settled: kept, owed, hold: undefined });
      expect(amountsOf(draft.account(ANN))).toEqual({ posted: 900n + back, held: 0n });
      expect(draft.account(BOB)).toMatchObject({ debitsHeld: 0n, owed });
    },
  );
});

describe("a share in basis points", () => {
  test.each([
    [100n, 5_000, 50n],
    [1n, 5_000, 0n],
    [3n, 5_000, 1n],
    [1n, 5_001, 1n],
    [9_000_000_000_000_000n, 10_000, 9_000_000_000_000_000n],
  ])("of %d micros at %d is %d: half a micro goes to the payer", (micros, bps, share) => {
    expect(shareOf(micros, bps)).toBe(share);
  });

  test("lies between none and all, and grows with the points", () => {
    const micros = fc.bigInt({ min: 1n, max: 9_000_000_000_000_000n });
    fc.assert(
      fc.property(micros, fc.nat(10_000), fc.nat(10_000), (amount, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];

        expect(shareOf(amount, low)).toBeGreaterThanOrEqual(0n);
        expect(shareOf(amount, high)).toBeLessThanOrEqual(amount);
        expect(shareOf(amount, low)).toBeLessThanOrEqual(shareOf(amount, high));
      }),
    );
  });
});
