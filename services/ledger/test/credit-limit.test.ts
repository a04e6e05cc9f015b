import { describe, expect, test } from "vitest";
import { available } from "../src/account.ts";
import type { Draft } from "../src/books.ts";
import type { Command } from "../src/command.ts";
import { cancelOf, depositOf, eur, outcomeOf, recordOf, settleOf } from "./books.ts";
import { aDraft, after, lastAnswer } from "./drafts.ts";

const [FIRST, SECOND] = [
  "01990000-0000-7000-8000-000000000001",
  "01990000-0000-7000-8000-000000000002",
] as const;

const limitOf = (micros: number): Command => ({ kind: "limit", owner: "ann", limit: eur(micros) });
const holdOf = (id: string, micros: number) => recordOf({ id, amount: eur(micros) });

/** Books in which ann has nothing of her own, and credit. */
const onCredit = (micros: number) =>
  after(aDraft({ accounts: { ann: {}, bob: {} } }), limitOf(micros));

function availableTo(draft: Draft): bigint | undefined {
  const account = draft.account({ owner: "ann", currency: "EUR" });
  return account && available(account);
}

describe("a credit limit", () => {
  test.each([
    ["held", []],
    ["paid", [settleOf(FIRST)]],
  ])("counts what is %s: a hold goes as far as it and no further", (_case, deeds) => {
    const draft = () => after(onCredit(100), holdOf(FIRST, 60), ...deeds);

    expect(availableTo(draft())).toBe(40n);
    expect(outcomeOf(lastAnswer(draft(), holdOf(SECOND, 41)))).toBe("INSUFFICIENT_FUNDS");
    expect(outcomeOf(lastAnswer(draft(), holdOf(SECOND, 40)))).toBe("PENDING");
  });

  test("has room again when a hold is given back", () => {
    const draft = after(onCredit(100), holdOf(FIRST, 100), cancelOf(FIRST));

    expect(outcomeOf(lastAnswer(draft, holdOf(SECOND, 100)))).toBe("PENDING");
  });

  test("that is lowered below what is in use stops further holds, and what is held is paid all the same", () => {
    const draft = after(onCredit(100), holdOf(FIRST, 60), limitOf(10));

    expect(outcomeOf(lastAnswer(draft, holdOf(SECOND, 1)))).toBe("INSUFFICIENT_FUNDS");
    expect(outcomeOf(lastAnswer(draft, settleOf(FIRST)))).toBe("SETTLED");
    expect(availableTo(draft)).toBe(-50n);
  });

  test("that is raised lets new holds in, but none that was refused before", () => {
    const draft = after(onCredit(100), holdOf(FIRST, 150), limitOf(200));

    expect(outcomeOf(lastAnswer(draft, holdOf(FIRST, 150)))).toBe("TRANSACTION_ID_BURNT");
    expect(outcomeOf(lastAnswer(draft, holdOf(SECOND, 150)))).toBe("PENDING");
  });

  test("is not money: none of it can be withdrawn", () => {
    const draft = onCredit(100);

    const withdrawal = depositOf({ owner: "ann", transfer: "WITHDRAWAL", amount: eur(1) });
    expect(outcomeOf(lastAnswer(draft, withdrawal))).toBe("INSUFFICIENT_FUNDS");
  });
});
