import { randomUUIDv7 } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Account, AccountStatus } from "../src/account.ts";
import type { Command } from "../src/command.ts";
import {
  amountsOf,
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  outcomeOf,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";
import { aDraft, after, lastAnswer } from "./drafts.ts";

const ID = "01990000-0000-7000-8000-000000000001";
const ANN = { owner: "ann", currency: "EUR" };

const setStatus = (status: AccountStatus, owner = "ann"): Command => ({
  kind: "status",
  owner,
  currency: "EUR",
  status,
});

/** Deeds that use the account of `ann`. */
const DEEDS: Readonly<Record<string, Command>> = {
  "pay from it": recordOf(),
  "promise it money": recordOf({ payer: "bob", provider: "ann" }),
  "deposit into it": depositOf(),
  "withdraw from it": depositOf({ transfer: "WITHDRAWAL", amount: eur(1) }),
  "give it credits": depositOf({ transfer: "CREDIT", amount: eur(1) }),
  "take credits from it": depositOf({ transfer: "CREDIT", amount: eur(-1) }),
  "set its credit limit": { kind: "limit", owner: "ann", limit: eur(5) },
  "open it": setStatus("OPEN"),
};

/** Books in which `ann` is of this status, with money unless it is closed, and `bob` has money. */
function booksWith(status: AccountStatus) {
  const ann = status === "CLOSED" ? { status } : { status, creditsPosted: 1_000n };
  return aDraft({ accounts: { ann, bob: { creditsPosted: 1_000n } } });
}

describe("an account", () => {
  test.each`
    status      | deed                      | outcome
    ${"OPEN"}   | ${"pay from it"}          | ${"PENDING"}
    ${"OPEN"}   | ${"withdraw from it"}     | ${"ok"}
    ${"FROZEN"} | ${"pay from it"}          | ${"ACCOUNT_FROZEN"}
    ${"FROZEN"} | ${"promise it money"}     | ${"PENDING"}
    ${"FROZEN"} | ${"deposit into it"}      | ${"ok"}
    ${"FROZEN"} | ${"withdraw from it"}     | ${"ACCOUNT_FROZEN"}
    ${"FROZEN"} | ${"give it credits"}      | ${"ok"}
    ${"FROZEN"} | ${"take credits from it"} | ${"ok"}
    ${"FROZEN"} | ${"set its credit limit"} | ${"ok"}
    ${"FROZEN"} | ${"open it"}              | ${"ok"}
    ${"CLOSED"} | ${"pay from it"}          | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"promise it money"}     | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"deposit into it"}      | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"withdraw from it"}     | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"give it credits"}      | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"take credits from it"} | ${"ACCOUNT_CLOSED"}
    ${"CLOSED"} | ${"open it"}              | ${"ok"}
  `("that is $status lets one $deed? $outcome", ({ status, deed, outcome }) => {
    const command = DEEDS[deed as string] ?? recordOf();

    expect(outcomeOf(lastAnswer(booksWith(status), command))).toBe(outcome);
  });

  test.each<[string, readonly Command[], string]>([
    ["settled", [settleOf(ID)], "SETTLED"],
    ["settled in part", [settleOf(ID, eur(40))], "SETTLED"],
    ["cancelled", [cancelOf(ID)], "CANCELLED"],
    ["disputed", [disputeOf(ID)], "DISPUTED"],
    ["ruled on", [disputeOf(ID), resolveOf(ID, 5_000)], "SETTLED"],
  ])("that is FROZEN lets its open holds be %s", (_end, deeds, outcome) => {
    const draft = after(aDraft(), recordOf({ id: ID }), setStatus("FROZEN"));

    expect(outcomeOf(lastAnswer(draft, ...deeds))).toBe(outcome);
  });

  test.each<[AccountStatus, string]>([
    ["FROZEN", "TRANSACTION_ID_BURNT"],
    ["CLOSED", "TRANSACTION_ID_BURNT"],
  ])("that is %s burns the id of what it is to pay, so that it stays refused", (status, reason) => {
    const record = recordOf();
    const draft = after(booksWith(status), record, setStatus("OPEN"), depositOf());

    expect(outcomeOf(lastAnswer(draft, record))).toBe(reason);
  });

  test("that is FROZEN burns the id of a withdrawal; one that was CLOSED burns no deposit", () => {
    const withdrawal = depositOf({ transfer: "WITHDRAWAL", amount: eur(1) });
    const deposit = depositOf();
    const frozen = after(booksWith("FROZEN"), withdrawal, setStatus("OPEN"));
    const closed = after(booksWith("CLOSED"), deposit, setStatus("OPEN"));

    expect(outcomeOf(lastAnswer(frozen, withdrawal))).toBe("WITHDRAWAL_ID_BURNT");
    expect(outcomeOf(lastAnswer(closed, deposit))).toBe("ok");
    expect(amountsOf(closed.account(ANN)).posted).toBe(1_000n);
  });
});

describe("closing an account", () => {
  test.each<[string, Partial<Account>, string]>([
    ["is empty", {}, "ok"],
    ["spent all that it got", { creditsPosted: 9n, debitsPosted: 9n }, "ok"],
    ["has a credit limit that it does not use", { creditLimit: 5n }, "ok"],
    ["has money", { creditsPosted: 1n }, "ACCOUNT_NOT_EMPTY"],
    ["is on credit", { debitsPosted: 1n, creditLimit: 5n }, "ACCOUNT_NOT_EMPTY"],
    ["has promised money", { creditLimit: 5n, debitsHeld: 1n }, "ACCOUNT_NOT_EMPTY"],
    ["was promised money", { creditsHeld: 1n }, "ACCOUNT_NOT_EMPTY"],
    ["owes money", { owed: 1n }, "ACCOUNT_NOT_EMPTY"],
  ])("that %s: %s", (_case, ann, outcome) => {
    const draft = aDraft({ accounts: { ann } });

    const answer = lastAnswer(draft, setStatus("CLOSED"));

    expect(outcomeOf(answer)).toBe(outcome);
    expect(draft.account(ANN)?.status).toBe(outcome === "ok" ? "CLOSED" : "OPEN");
  });

  test("again, freezing again and opening again change nothing", () => {
    const draft = aDraft({ accounts: { ann: {} } });
    const statuses = ["CLOSED", "CLOSED", "FROZEN", "FROZEN", "OPEN", "OPEN"] as const;

    after(draft, ...statuses.map((status) => setStatus(status)));

    expect(draft.changed.happenings.map(({ kind }) => kind)).toEqual(
      Array.from({ length: 3 }, () => "account_status_set"),
    );
    expect(draft.changed.movements).toEqual([]);
  });

  test("and opening it keeps the memory of its ids", () => {
    const deposit = depositOf({ id: randomUUIDv7(), amount: eur(5) });
    const withdrawal = depositOf({ transfer: "WITHDRAWAL", amount: eur(5) });
    const draft = aDraft({ accounts: { ann: {} } });
    after(draft, deposit, withdrawal, setStatus("CLOSED"), setStatus("OPEN"));

    expect(outcomeOf(lastAnswer(draft, deposit, withdrawal))).toBe("ok");
    expect(amountsOf(draft.account(ANN)).posted).toBe(0n);
  });
});
