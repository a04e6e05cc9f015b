import { readdirSync, readFileSync } from "node:fs";
import { RefusalReasonSchema } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { describe, expect, test } from "vitest";
import { BALANCE_MAX, WORLD } from "../src/account.ts";
import type { Draft, Transfer } from "../src/books.ts";
import type { Caller } from "../src/caller.ts";
import type { Command } from "../src/command.ts";
import { PRECEDENCE, type Reason } from "../src/refusal.ts";
import { codes } from "../src/rejections.ts";
import { WINDOWS } from "../src/windows.ts";
import {
  AUCTION,
  agent,
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
import { aDraft, after, lastAnswer } from "./drafts.ts";

const CONTRACTS = new URL("../../../proto/bourse/ledger/v1/", import.meta.url);

/** What each RPC says that it refuses with, in the order of its comment. */
function promisedReasons(): ReadonlyMap<string, readonly string[]> {
  const text = readdirSync(CONTRACTS)
    .filter((name) => name.endsWith(".proto"))
    .map((name) => readFileSync(new URL(name, CONTRACTS), "utf8"))
    .join("\n");
  const rpcs = text.matchAll(/((?:^ *\/\/.*\n)+) *rpc (\w+)\(/gm);
  return new Map(
    [...rpcs].map(([, comment = "", name = ""]) => {
      const prose = comment.replaceAll(/\s*\/\/ ?/g, " ");
      const [, list = ""] = /Refuses[^:]* with: (.*)/.exec(prose) ?? [];
      const [sentence = ""] = list.replaceAll(/\([^)]*\)/g, "").split(". ");
      return [name, sentence.match(/[A-Z][A-Z_]{4,}/g) ?? []];
    }),
  );
}

describe("the reasons for refusing", () => {
  test("are the same in the contract's list and in the table of codes", () => {
    expect(Object.keys(codes).toSorted()).toEqual(PRECEDENCE.toSorted());
  });

  test("have one number each and never change it", () => {
    const numbers = RefusalReasonSchema.values.map(({ number }) => number);

    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each([...promisedReasons()])("of %s stand in the order of the list", (_rpc, reasons) => {
    const places = reasons.map((reason) => PRECEDENCE.indexOf(reason as Reason));

    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test("are all named by some RPC, but for the one that any may have", () => {
    const promised = new Set([...promisedReasons().values()].flat());

    expect(PRECEDENCE.filter((reason) => !promised.has(reason))).toEqual(["LEDGER_BUSY"]);
  });
});

const T1 = "01990000-0000-7000-8000-000000000001";
const T2 = "01990000-0000-7000-8000-000000000002";
const GROUP = "01990000-0000-7000-8000-00000000000a";
const closed = { status: "CLOSED" } as const;
const frozen = { status: "FROZEN", creditsPosted: 1_000n } as const;
const burnt = recordOf({ id: T1, amount: eur(5_000) }).terms;
const done: Transfer = {
  kind: "DEPOSIT",
  id: "x",
  owner: "ann",
  currency: "EUR",
  amount: 1_000n,
  taskId: "",
  burnt: false,
};
const spent: Transfer = { ...done, kind: "WITHDRAWAL", burnt: true };
const deposit = depositOf({ id: "x" });
const withdrawal = depositOf({ id: "x", transfer: "WITHDRAWAL" });
const credit = depositOf({ id: "x", transfer: "CREDIT" });
const sat = (micros: bigint) => ({ micros, currency: "SAT" });
const flood = Array.from({ length: 101 }, (_, nth) => ({
  note: `n${nth}`,
  reference: "",
  sha256: "",
}));

const held = () => after(aDraft(), recordOf({ id: T1 }));
const settledInPart = () => after(held(), settleOf(T1, eur(60)));
const cancelled = () => after(held(), cancelOf(T1));
const ruled = (bps: number) => after(held(), disputeOf(T1), resolveOf(T1, bps));
const settle = (caller: Caller, amount = eur(100)): Command => ({
  kind: "settle",
  id: T1,
  amount,
  caller,
});
const cancel = (caller: Caller): Command => ({ kind: "cancel", id: T1, caller });
const flag = (caller: Caller): Command => ({
  kind: "dispute",
  id: T1,
  caller,
  evidence: flood,
  windows: WINDOWS,
});

const eve = agent("eve");
const REGISTRY: Caller = { kind: "service", id: "registry" };

/** A group of two: one of `ann` and `bob`, one of `carl` and `other`, both recorded by the auction. */
function grouped(other: string, ...deeds: readonly Command[]): Draft {
  const first = recordOf({ id: T1, groupId: GROUP });
  const second = recordOf({ id: T2, groupId: GROUP, payer: "carl", provider: other });
  const draft = aDraft({ accounts: { carl: { creditsPosted: 1_000n }, dan: {} } });
  return after(draft, first, second, ...deeds);
}

const group = (deed: "settle" | "cancel", caller: Caller): Command => ({
  kind: "group",
  deed,
  id: GROUP,
  caller,
});

/**
 * What a command is refused with, what it is refused with when that cause is gone, and the two
 * commands on their books.
 */
type Row = readonly [Reason, Reason, readonly [Draft, Command], readonly [Draft, Command]];

const record = recordOf({ id: T1, amount: eur(1_001) });
/** Books in which GROUP is another service's, with what is given. */
function withGroupOfOthers(given: Parameters<typeof aDraft>[0] = {}): Draft {
  const carl = { creditsPosted: 100n };
  const draft = aDraft({ ...given, accounts: { carl, ...given.accounts } });
  const theirs = { id: T2, payer: "carl", groupId: GROUP, recorder: "service:x402" };
  return after(draft, recordOf(theirs));
}
const mine = recordOf({ ...burnt, groupId: GROUP });

const ROWS: readonly Row[] = [
  [
    "SAME_PARTY",
    "TRANSACTION_ID_REUSED",
    [held(), recordOf({ id: T1, provider: "ann" })],
    [held(), recordOf({ id: T1, provider: "carl" })],
  ],
  [
    "TRANSACTION_ID_REUSED",
    "TRANSACTION_ID_BURNT",
    [aDraft({ burnt: [burnt] }), recordOf({ id: T1, amount: eur(1) })],
    [aDraft({ burnt: [burnt] }), recordOf({ ...burnt })],
  ],
  [
    "TRANSACTION_ID_BURNT",
    "NOT_GROUP_RECORDER",
    [withGroupOfOthers({ burnt: [mine.terms] }), mine],
    [withGroupOfOthers(), mine],
  ],
  [
    "NOT_GROUP_RECORDER",
    "ACCOUNT_CLOSED",
    [withGroupOfOthers({ accounts: { ann: closed } }), mine],
    [aDraft({ accounts: { ann: closed } }), mine],
  ],
  [
    "TRANSACTION_ID_BURNT",
    "ACCOUNT_CLOSED",
    [aDraft({ burnt: [burnt], accounts: { ann: closed } }), recordOf({ ...burnt })],
    [aDraft({ accounts: { ann: closed } }), recordOf({ ...burnt })],
  ],
  [
    "ACCOUNT_CLOSED",
    "ACCOUNT_FROZEN",
    [aDraft({ accounts: { ann: frozen, bob: closed } }), record],
    [aDraft({ accounts: { ann: frozen } }), record],
  ],
  [
    "ACCOUNT_FROZEN",
    "INSUFFICIENT_FUNDS",
    [aDraft({ accounts: { ann: frozen } }), record],
    [aDraft(), record],
  ],
  [
    "DEPOSIT_ID_REUSED",
    "ACCOUNT_CLOSED",
    [aDraft({ transfers: [done], accounts: { ann: closed } }), { ...deposit, amount: eur(1) }],
    [aDraft({ accounts: { ann: closed } }), deposit],
  ],
  [
    "ACCOUNT_CLOSED",
    "BALANCE_OUT_OF_RANGE",
    [aDraft({ accounts: { ann: closed, [WORLD]: { debitsPosted: BALANCE_MAX } } }), deposit],
    [aDraft({ accounts: { [WORLD]: { debitsPosted: BALANCE_MAX } } }), deposit],
  ],
  [
    "WITHDRAWAL_ID_REUSED",
    "WITHDRAWAL_ID_BURNT",
    [aDraft({ transfers: [spent] }), { ...withdrawal, amount: eur(1) }],
    [aDraft({ transfers: [spent] }), withdrawal],
  ],
  [
    "WITHDRAWAL_ID_BURNT",
    "ACCOUNT_CLOSED",
    [aDraft({ transfers: [spent], accounts: { ann: closed } }), withdrawal],
    [aDraft({ accounts: { ann: closed } }), withdrawal],
  ],
  [
    "ACCOUNT_FROZEN",
    "INSUFFICIENT_FUNDS",
    [aDraft({ accounts: { ann: frozen } }), { ...withdrawal, amount: eur(1_001) }],
    [aDraft(), { ...withdrawal, amount: eur(1_001) }],
  ],
  [
    "INSUFFICIENT_FUNDS",
    "BALANCE_OUT_OF_RANGE",
    [aDraft({ accounts: { ann: {}, [WORLD]: { creditsPosted: BALANCE_MAX } } }), withdrawal],
    [aDraft({ accounts: { [WORLD]: { creditsPosted: BALANCE_MAX } } }), withdrawal],
  ],
  [
    "CREDIT_ID_REUSED",
    "ACCOUNT_CLOSED",
    [
      aDraft({ transfers: [{ ...done, kind: "CREDIT", amount: 1n }], accounts: { ann: closed } }),
      credit,
    ],
    [aDraft({ accounts: { ann: closed } }), credit],
  ],
  [
    "TRANSACTION_NOT_FOUND",
    "INVALID_TRANSACTION_STATE",
    [cancelled(), settle(eve)],
    [cancelled(), settle(AUCTION)],
  ],
  [
    "NOT_TRANSACTION_PARTY",
    "INVALID_TRANSACTION_STATE",
    [cancelled(), settle(agent("ann"))],
    [cancelled(), settle(AUCTION)],
  ],
  [
    "INVALID_TRANSACTION_STATE",
    "CURRENCY_MISMATCH",
    [cancelled(), settle(AUCTION, sat(101n))],
    [settledInPart(), settle(AUCTION, sat(101n))],
  ],
  [
    "CURRENCY_MISMATCH",
    "AMOUNT_EXCEEDS_HOLD",
    [settledInPart(), settle(AUCTION, sat(101n))],
    [settledInPart(), settle(AUCTION, eur(101))],
  ],
  [
    "AMOUNT_EXCEEDS_HOLD",
    "ALREADY_SETTLED_DIFFERENTLY",
    [settledInPart(), settle(AUCTION, eur(101))],
    [settledInPart(), settle(AUCTION, eur(61))],
  ],
  [
    "NOT_TRANSACTION_PARTY",
    "INVALID_TRANSACTION_STATE",
    [settledInPart(), cancel(agent("bob"))],
    [settledInPart(), cancel(AUCTION)],
  ],
  [
    "TRANSACTION_NOT_FOUND",
    "NOT_TRANSACTION_PARTY",
    [grouped("dan"), group("settle", agent("bob"))],
    [grouped("bob"), group("settle", agent("bob"))],
  ],
  [
    "NOT_TRANSACTION_PARTY",
    "INVALID_TRANSACTION_STATE",
    [grouped("ann", cancelOf(T1)), group("settle", agent("ann"))],
    [grouped("ann", cancelOf(T1)), group("settle", OPERATOR)],
  ],
  [
    "NOT_TRANSACTION_PARTY",
    "INVALID_TRANSACTION_STATE",
    [grouped("dan", settleOf(T1)), group("cancel", REGISTRY)],
    [grouped("dan", settleOf(T1)), group("cancel", OPERATOR)],
  ],
  [
    "INVALID_TRANSACTION_STATE",
    "ALREADY_SETTLED_DIFFERENTLY",
    [grouped("dan", settleOf(T1, eur(60)), cancelOf(T2)), group("settle", OPERATOR)],
    [grouped("dan", settleOf(T1, eur(60))), group("settle", OPERATOR)],
  ],
  [
    "NOT_TRANSACTION_PARTY",
    "INVALID_TRANSACTION_STATE",
    [ruled(0), flag(REGISTRY)],
    [ruled(0), flag(AUCTION)],
  ],
  [
    "INVALID_TRANSACTION_STATE",
    "DISPUTE_ALREADY_DECIDED",
    [ruled(0), flag(AUCTION)],
    [ruled(1_000), flag(AUCTION)],
  ],
  [
    "DISPUTE_ALREADY_DECIDED",
    "DISPUTE_TOO_LATE",
    [after(held(), settleOf(T1), disputeOf(T1), resolveOf(T1, 1_000)), flagAtOnce()],
    [after(held(), settleOf(T1)), flagAtOnce()],
  ],
  [
    "EVIDENCE_TOO_LATE",
    "TOO_MUCH_EVIDENCE",
    [overdue(), flag(AUCTION)],
    [after(held(), disputeOf(T1)), flag(AUCTION)],
  ],
  [
    "TOO_MUCH_EVIDENCE",
    "ACCOUNT_CLOSED",
    [closedAfterwards(), flag(AUCTION)],
    [closedAfterwards(), disputeOf(T1)],
  ],
  [
    "INVALID_TRANSACTION_STATE",
    "EVIDENCE_TOO_LATE",
    [after(overdue(), resolveOf(T1, 1_000)), say(AUCTION)],
    [overdue(), say(AUCTION)],
  ],
  [
    "INVALID_TRANSACTION_STATE",
    "ALREADY_DELIVERED_DIFFERENTLY",
    [after(held(), deliver("aa"), settleOf(T1)), deliver("bb")],
    [after(held(), deliver("aa")), deliver("bb")],
  ],
  ["TRANSACTION_NOT_FOUND", "NOT_ARBITRATOR", [held(), vote("eve")], [held(), vote("ann")]],
  [
    "NOT_ARBITRATOR",
    "INVALID_TRANSACTION_STATE",
    [withPanel(), vote("ann")],
    [withPanel(), vote("jo")],
  ],
];

/** A dispute that comes too late after any settlement. */
function flagAtOnce(): Command {
  return { ...disputeOf(T1), windows: { ...WINDOWS, disputeMs: 0 } };
}

/** A dispute in which no evidence is taken any more. */
function overdue(): Draft {
  const windows = { ...WINDOWS, evidenceMs: 0 };
  return after(held(), { ...disputeOf(T1), windows });
}

/** A settlement whose provider has gone with the money. */
function closedAfterwards(): Draft {
  const all = depositOf({ transfer: "WITHDRAWAL", owner: "bob", amount: eur(100) });
  const close = { kind: "status", owner: "bob", currency: "EUR", status: "CLOSED" } as const;
  return after(held(), settleOf(T1), all, close);
}

function withPanel(): Draft {
  const arbitration = { arbitrators: ["jo"], quorum: 1, evidenceMs: 1, rulingMs: 1 };
  return after(aDraft(), recordOf({ id: T1, arbitration }));
}

function say(caller: Caller): Command {
  return { kind: "evidence", id: T1, caller, evidence: flood };
}

function deliver(sha256: string): Command {
  return { kind: "deliver", id: T1, caller: AUCTION, sha256, reference: "", latencyMs: undefined };
}

function vote(who: string): Command {
  return { kind: "vote", id: T1, caller: agent(who), providerShareBps: 1, reason: "so" };
}

/** Neighbours in the comment of an RPC that no command can break at once. */
const NEVER_AT_ONCE = [
  // A request that is known is answered before its transaction is looked for.
  "REQUEST_ID_REUSED TRANSACTION_NOT_FOUND",
  // A group has members, or there is none.
  "GROUP_NOT_FOUND TRANSACTION_NOT_FOUND",
  // Entries of a batch that do different deeds.
  "NOT_GROUP_RECORDER TRANSACTION_NOT_FOUND",
  "TRANSACTION_ID_BURNT TRANSACTION_NOT_FOUND",
  "ALREADY_SETTLED_DIFFERENTLY ACCOUNT_CLOSED",
  // A dispute is opened too late, or evidence is brought to one that was opened.
  "DISPUTE_TOO_LATE EVIDENCE_TOO_LATE",
  // An entry with a reason of its own is given that.
  "BALANCE_OUT_OF_RANGE LINKED_ENTRY_FAILED",
];

/** Neighbours in the comment of an RPC that decides nothing on the books: the tests of each show them. */
const NO_COMMANDS = [
  "ACCOUNT_NOT_EMPTY AGENT_HAS_OPEN_TRANSACTIONS",
  "ENTRY_NOT_FOUND LOG_SIZE_OUT_OF_RANGE",
  "SAME_PARTY TRANSACTION_NOT_FOUND",
  "INVALID_TRANSACTION_STATE PAYMENT_RAIL_NOT_FOUND",
  "PAYMENT_RAIL_NOT_FOUND PAYMENT_ADDRESS_MISSING",
  "PAYMENT_ADDRESS_MISSING AMOUNT_NOT_ATOMIC",
];

const SHOWN = ROWS.map((row) => row.slice(0, 2).join(" "));

describe("of two reasons that hold for one command", () => {
  test("each pair of neighbours that an RPC names is shown below or cannot meet", () => {
    const named = [...promisedReasons().values()].flatMap((reasons) =>
      reasons.slice(1).map((second, nth) => `${reasons[nth]} ${second}`),
    );

    expect([...new Set(named)].toSorted()).toEqual(
      [...new Set([...SHOWN, ...NEVER_AT_ONCE, ...NO_COMMANDS])]
        .filter((pair) => named.includes(pair))
        .toSorted(),
    );
  });

  test.each(ROWS)("%s comes before %s (%#)", (first, second, both, without) => {
    expect(PRECEDENCE.indexOf(first)).toBeLessThan(PRECEDENCE.indexOf(second));
    expect(outcomeOf(lastAnswer(...both))).toBe(first);
    expect(outcomeOf(lastAnswer(...without))).toBe(second);
  });
});
