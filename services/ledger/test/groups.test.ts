import { randomUUIDv7 } from "node:crypto";
import { describe, expect, test } from "vitest";
import { BALANCE_MAX } from "../src/account.ts";
import type { Answer } from "../src/books.ts";
import type { Command, RecordCommand } from "../src/command.ts";
import type { Terms } from "../src/transaction.ts";
import {
  AUCTION,
  amountsOf,
  cancelOf,
  DAY_MS,
  depositOf,
  disputeOf,
  eur,
  openStores,
  outcomeOf,
  recordOf,
  settleOf,
} from "./books.ts";
import { aDraft, after, lastAnswer } from "./drafts.ts";
import { dumpBooks } from "./dump.ts";
import { booksForFile, keepBooksTrue } from "./opened.ts";

const { database, store } = await booksForFile();
/** The same books two days later. */
const late = openStores(database, () => new Date(Date.now() + 2 * DAY_MS)).ledger;
keepBooksTrue(store);

const linked = (...commands: readonly Command[]): Command => ({ kind: "linked", commands });
const settleGroup = (id: string): Command => ({
  kind: "group",
  deed: "settle",
  id,
  caller: AUCTION,
});
const cancelGroup = (id: string): Command => ({
  kind: "group",
  deed: "cancel",
  id,
  caller: AUCTION,
});

function outcomesOf(answer: Answer | undefined): readonly string[] {
  return answer?.kind === "group" ? answer.answers.map(outcomeOf) : [outcomeOf(answer)];
}

async function run(...commands: readonly Command[]): Promise<readonly (readonly string[])[]> {
  return (await store.commit(commands)).answers.map(outcomesOf);
}

/** Runs commands and shows that every table is as before, but for those left out. */
async function changeNothing(leftOut: readonly string[], ...commands: readonly Command[]) {
  const before = await dumpBooks(database, leftOut);
  const outcomes = await run(...commands);
  expect(await dumpBooks(database, leftOut)).toEqual(before);
  return outcomes;
}

/** A payer with 1,000 micros whom no other test uses, and what it records as one group. */
async function aGroup(...amounts: readonly number[]) {
  const groupId = randomUUIDv7();
  const payer = `payer-${groupId}`;
  await store.commit([depositOf({ owner: payer })]);
  const records = amounts.map((micros, nth) =>
    recordOf({ payer, provider: `provider-${nth}-${groupId}`, amount: eur(micros), groupId }),
  );
  return { groupId, payer, records, ids: records.map(({ terms }) => terms.id) };
}

async function countMovements(): Promise<number> {
  const { rows } = await database.pool.query<{ count: string }>("select count(*) from movements");
  return Number(rows[0]?.count);
}

const inPart = (id: string) => settleOf(id, eur(1));

async function balanceOf(owner: string) {
  const { accounts } = await store.balances(owner, { holdsMax: 10 });
  return amountsOf(accounts[0]);
}

/** The same deed for itself. */
function alone({ terms }: RecordCommand, changes: Partial<Terms> = {}): RecordCommand {
  return recordOf({ ...terms, groupId: undefined, ...changes });
}

describe("a group is whose who recorded its first transaction", () => {
  const theirs = (record: RecordCommand | undefined) =>
    recordOf({ ...record?.terms, id: randomUUIDv7(), recorder: "service:x402" });

  test("nobody else records into it, so that it can be settled as a whole", async () => {
    const { groupId, records } = await aGroup(300, 200);
    await run(linked(...records));

    const outcomes = await changeNothing([], theirs(records[0]), linked(theirs(records[1])));

    expect(outcomes).toEqual([["NOT_GROUP_RECORDER"], ["NOT_GROUP_RECORDER"]]);
    expect(await run(settleGroup(groupId))).toEqual([["SETTLED", "SETTLED"]]);
  });

  test("its recorder goes on to record into it, for any payer, also when it has ended", async () => {
    const { groupId, records } = await aGroup(300, 200);
    const other = await aGroup(100);
    const [first, second] = records as [RecordCommand, RecordCommand];
    await run(linked(first), settleGroup(groupId));
    const third = recordOf({ ...other.records[0]?.terms, groupId });

    expect(await run(linked(second), linked(third))).toEqual([["PENDING"], ["PENDING"]]);
    expect(await run(linked(theirs(second)))).toEqual([["NOT_GROUP_RECORDER"]]);
  });

  test("an attempt burns no id, and one that was refused makes no group", async () => {
    const { records } = await aGroup(300, 2_000);
    const [first, dear] = records as [RecordCommand, RecordCommand];
    const refused = theirs(first);

    const outcomes = await run(linked(first, theirs(dear)), dear, linked(refused), refused);

    expect(outcomes).toEqual([
      ["LINKED_ENTRY_FAILED", "NOT_GROUP_RECORDER"],
      ["INSUFFICIENT_FUNDS"],
      ["PENDING"],
      ["PENDING"],
    ]);
  });
});

describe("commands that are linked", () => {
  test("are done together, each after those before it", async () => {
    const { payer, records, ids } = await aGroup(600, 300);
    const [price, fee] = records as [RecordCommand, RecordCommand];
    const refund = recordOf({ ...fee.terms, id: randomUUIDv7(), payer: price.terms.provider });

    const outcomes = await run(linked(price, fee, settleOf(ids[0] ?? ""), refund));

    expect(outcomes).toEqual([["PENDING", "PENDING", "SETTLED", "PENDING"]]);
    expect(await balanceOf(payer)).toEqual({ posted: 400n, held: 300n });
    expect(await balanceOf(price.terms.provider)).toEqual({ posted: 600n, held: 300n });
  });

  test("change nothing when one is refused: it has its own reason, the others LINKED_ENTRY_FAILED", async () => {
    const { records } = await aGroup(600, 300, 200, 100);

    const [outcomes] = await changeNothing(["burnt_transactions"], linked(...records));

    expect(outcomes).toEqual([
      "LINKED_ENTRY_FAILED",
      "LINKED_ENTRY_FAILED",
      "INSUFFICIENT_FUNDS",
      "LINKED_ENTRY_FAILED",
    ]);
  });

  test("name the entry that failed and why", async () => {
    const { records } = await aGroup(600, 500);

    const { answers } = await store.commit([linked(...records)]);

    const [group] = answers;
    const [first] = group?.kind === "group" ? group.answers : [];
    expect(first?.kind === "refused" && first.refusal.metadata).toEqual({
      entry: "1",
      reason: "INSUFFICIENT_FUNDS",
    });
  });

  test("burn the id of the one that lacked funds and of no other", async () => {
    const { records, groupId } = await aGroup(600, 500);
    await run(linked(...records));
    const [first, second] = records as [RecordCommand, RecordCommand];

    const outcomes = await run(alone(first), recordOf({ ...second.terms, groupId }));

    expect(outcomes).toEqual([["PENDING"], ["TRANSACTION_ID_BURNT"]]);
  });

  test("are refused for good once one of their ids is burnt, whatever comes in later", async () => {
    const { payer, records } = await aGroup(600, 500);
    await run(linked(...records));

    const outcomes = await run(depositOf({ owner: payer }), linked(...records));

    expect(outcomes[1]).toEqual(["LINKED_ENTRY_FAILED", "TRANSACTION_ID_BURNT"]);
  });

  test("are answered with what became of them when they come again", async () => {
    const { groupId, records } = await aGroup(600, 300);
    await run(linked(...records), settleGroup(groupId));

    const outcomes = await changeNothing([], linked(...records), linked(...records));

    expect(outcomes).toEqual([
      ["SETTLED", "SETTLED"],
      ["SETTLED", "SETTLED"],
    ]);
  });

  test("are refused when one was recorded alone before: it differs in group_id", async () => {
    const { records } = await aGroup(600, 300);
    const [first, second] = records as [RecordCommand, RecordCommand];
    await run(alone(second));

    const { answers } = await store.commit([linked(first, second)]);

    const [group] = answers;
    const refused = group?.kind === "group" ? group.answers[1] : undefined;
    expect(outcomesOf(group)).toEqual(["LINKED_ENTRY_FAILED", "TRANSACTION_ID_REUSED"]);
    expect(refused?.kind === "refused" && refused.refusal.metadata).toEqual({ field: "group_id" });
  });

  test("do not keep what stands beside them in the batch from being done", async () => {
    const { payer, records } = await aGroup(600, 500);
    const [before, between] = [depositOf({ owner: payer }), depositOf({ owner: payer })];
    const tooMuch = recordOf({ payer, amount: eur(9_000) });
    const small = recordOf({ payer, amount: eur(50) });

    const outcomes = await run(before, linked(small, tooMuch), between, linked(...records));

    expect(outcomes).toEqual([
      ["ok"],
      ["LINKED_ENTRY_FAILED", "INSUFFICIENT_FUNDS"],
      ["ok"],
      ["PENDING", "PENDING"],
    ]);
    expect(await balanceOf(payer)).toEqual({ posted: 3_000n, held: 1_100n });
  });

  test("undo in the one what only the other could not", async () => {
    const { payer, records, ids } = await aGroup(900);
    await run(...records);
    const replacement = recordOf({ payer, amount: eur(1_000) });
    const [id = ""] = ids;

    const swapped = await run(linked(cancelOf(id), replacement));
    const failed = await changeNothing(
      ["burnt_transactions"],
      linked(cancelOf(replacement.terms.id), recordOf({ payer, amount: eur(1_001) })),
    );

    expect(swapped).toEqual([["CANCELLED", "PENDING"]]);
    expect(failed).toEqual([["LINKED_ENTRY_FAILED", "INSUFFICIENT_FUNDS"]]);
    expect(await balanceOf(payer)).toEqual({ posted: 1_000n, held: 1_000n });
  });
});

describe("a group", () => {
  test("is settled whole by its id, also what was recorded with it later", async () => {
    const { groupId, payer, records } = await aGroup(600, 300, 100);
    await run(linked(...records.slice(0, 2)));
    await run(linked(...records.slice(2)));

    const outcomes = await run(settleGroup(groupId));

    expect(outcomes).toEqual([["SETTLED", "SETTLED", "SETTLED"]]);
    expect(await balanceOf(payer)).toEqual({ posted: 0n, held: 0n });
  });

  test("is settled in the batch that records it", async () => {
    const { groupId, records } = await aGroup(600, 300);

    const outcomes = await run(linked(...records), settleGroup(groupId));

    expect(outcomes[1]).toEqual(["SETTLED", "SETTLED"]);
  });

  test("is cancelled whole by its id, and both ends are the same when asked again", async () => {
    const [kept, dropped] = [await aGroup(600, 300), await aGroup(600, 300)];
    await run(linked(...kept.records), linked(...dropped.records));
    const ends = [settleGroup(kept.groupId), cancelGroup(dropped.groupId)];

    const first = await run(...ends);
    const again = await changeNothing([], ...ends);

    expect(again).toEqual(first);
    expect(await balanceOf(kept.payer)).toEqual({ posted: 100n, held: 0n });
    expect(await balanceOf(dropped.payer)).toEqual({ posted: 1_000n, held: 0n });
  });

  test.each<[string, (id: string) => Command, typeof settleGroup, readonly string[], number]>([
    ["settled", (id) => settleOf(id), settleGroup, ["SETTLED", "SETTLED", "SETTLED"], 2],
    ["settled", (id) => settleOf(id), cancelGroup, ["INVALID_TRANSACTION_STATE"], 0],
    ["partly settled", inPart, settleGroup, ["ALREADY_SETTLED_DIFFERENTLY"], 0],
    ["partly settled", inPart, cancelGroup, ["INVALID_TRANSACTION_STATE"], 0],
    ["cancelled", cancelOf, settleGroup, ["INVALID_TRANSACTION_STATE"], 0],
    ["cancelled", cancelOf, cancelGroup, ["CANCELLED", "CANCELLED", "CANCELLED"], 2],
    ["disputed", disputeOf, settleGroup, ["INVALID_TRANSACTION_STATE"], 0],
    ["disputed", disputeOf, cancelGroup, ["INVALID_TRANSACTION_STATE"], 0],
  ])("of which one is %s already ends as a whole or not at all (%#)", async (...row) => {
    const [, end, deed, outcomes, movements] = row;
    const { groupId, records, ids } = await aGroup(600, 300, 100);
    await run(linked(...records), end(ids[1] ?? ""));
    const before = await countMovements();

    const [answer] = await run(deed(groupId));

    expect(answer).toEqual(outcomes);
    expect((await countMovements()) - before).toBe(movements);
  });

  test("that was refused cannot be settled, neither whole nor by its parts", async () => {
    const { groupId, records, ids } = await aGroup(600, 500);
    await run(linked(...records));

    const outcomes = await changeNothing(
      [],
      settleGroup(groupId),
      ...ids.map((id) => settleOf(id)),
    );

    expect(outcomes).toEqual([
      ["GROUP_NOT_FOUND"],
      ["TRANSACTION_NOT_FOUND"],
      ["TRANSACTION_NOT_FOUND"],
    ]);
  });

  test("that nobody recorded is not found", async () => {
    const outcomes = await changeNothing([], settleGroup(randomUUIDv7()));

    expect(outcomes).toEqual([["GROUP_NOT_FOUND"]]);
  });

  test("is not settled at all when only the last of its payments goes out of range", () => {
    const groupId = randomUUIDv7();
    const records = ["bob", "carl"].map((provider) => recordOf({ provider, groupId }));
    const draft = aDraft({ accounts: { carl: { creditsPosted: BALANCE_MAX } } });

    const answer = lastAnswer(after(draft, linked(...records)), settleGroup(groupId));

    expect(outcomesOf(answer)).toEqual(["BALANCE_OUT_OF_RANGE"]);
    expect(draft.account({ owner: "bob", currency: "EUR" })?.creditsPosted).toBe(0n);
  });
});

describe("what is due within a group", () => {
  test("that is refused does not take along what the entries before it would have done", async () => {
    const { payer, ids } = await twoOfWhichTheSecondIsDue();
    const [first = "", second = ""] = ids;

    const outcomes = await late.commit([linked(settleOf(first), settleOf(second))]);

    expect(outcomes.answers.map(outcomesOf)).toEqual([
      ["LINKED_ENTRY_FAILED", "INVALID_TRANSACTION_STATE"],
    ]);
    expect((await balanceOf(payer)).posted).toBe(1_000n);
    expect((await store.findTransaction(first, {}))?.transaction.state).toBe("PENDING");
  });

  test("leaves a group as it was when that refuses it", async () => {
    const { payer, groupId, ids } = await twoOfWhichTheSecondIsDue();

    const outcomes = await late.commit([settleGroup(groupId)]);

    expect(outcomes.answers.map(outcomesOf)).toEqual([["INVALID_TRANSACTION_STATE"]]);
    expect((await balanceOf(payer)).posted).toBe(1_000n);
    expect((await store.findTransaction(ids[0] ?? "", {}))?.transaction.state).toBe("PENDING");
  });

  async function twoOfWhichTheSecondIsDue() {
    const group = await aGroup(600, 300);
    const [first, second] = group.records as [RecordCommand, RecordCommand];
    const records = [
      recordOf({ ...first.terms, holdMs: 10 * DAY_MS }),
      recordOf({ ...second.terms, holdMs: 1 }),
    ];
    await run(linked(...records));
    return group;
  }
});
