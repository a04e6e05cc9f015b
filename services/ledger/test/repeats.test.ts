import { randomUUIDv7 } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Command, RecordCommand } from "../src/command.ts";
import { createQueue } from "../src/queue.ts";
import { createRepeaters } from "../src/repeaters.ts";
import type { Road } from "../src/store.ts";
import { agent, depositOf, eur, openStores, outcomeOf, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database, store } = await booksForFile();

/** A process, and how its batches were decided since that was last asked. */
function aProcess() {
  const roads: Road[] = [];
  const onRoad = (road: Road) => void roads.push(road);
  const { ledger } = openStores(database, undefined, { onRoad });
  const limits = { batchMax: 100, queueMax: 1_000, lanes: 2 };
  const queue = createQueue({ store: ledger, tell: () => {}, ...limits });
  return {
    submit: async (command: Command) => outcomeOf((await queue.submit([command]))[0]),
    taken: () => new Set(roads.splice(0)),
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

/** Two sides with a payment between them, the payer with nearly 1,000 micros. */
async function aPair() {
  const run = randomUUIDv7();
  const pair = { payer: `payer-${run}`, provider: `provider-${run}` };
  await store.commit([depositOf({ owner: pair.payer }), recordOf({ ...pair, amount: eur(1) })]);
  return pair;
}

type Repeat = readonly [Command, outcome: string];

async function anEnded(): Promise<RecordCommand> {
  const record = recordOf(await aPair());
  await store.commit([record, settleOf(record.terms.id)]);
  return record;
}

describe("who tells again what was done before, beside payments of others,", () => {
  test.each<[string, () => Promise<Repeat>]>([
    ["records what has ended", async () => [await anEnded(), "SETTLED"]],
    [
      "records under an id that was used for something else",
      async () => {
        const { terms } = await anEnded();
        return [recordOf({ ...terms, amount: eur(7) }), "TRANSACTION_ID_REUSED"];
      },
    ],
    [
      "records what was burnt",
      async () => {
        const record = recordOf({ ...(await aPair()), amount: eur(5_000) });
        await store.commit([record]);
        return [record, "TRANSACTION_ID_BURNT"];
      },
    ],
    [
      "records into a group of others",
      async () => {
        const groupId = randomUUIDv7();
        await store.commit([recordOf({ ...(await aPair()), groupId })]);
        const pair = await aPair();
        return [recordOf({ ...pair, groupId, recorder: "operator" }), "NOT_GROUP_RECORDER"];
      },
    ],
    ["settles what has ended", async () => [settleOf((await anEnded()).terms.id), "SETTLED"]],
    [
      "deposits what was deposited",
      async () => {
        const deposit = depositOf({ owner: (await aPair()).payer });
        await store.commit([deposit]);
        return [deposit, "ok"];
      },
    ],
  ])("keeps them from memory once, and then no more: %s", async (_what, make) => {
    await using process = aProcess();
    const [command, outcome] = await make();
    const others = await aPair();
    const both = () => Promise.all([process.submit(command), process.submit(recordOf(others))]);
    expect(await both()).toEqual([outcome, "PENDING"]);
    expect(process.taken()).toContain("lock");

    for (let nth = 0; nth < 5; nth++) expect(await both()).toEqual([outcome, "PENDING"]);

    expect(process.taken()).toEqual(new Set(["read", "memory"]));
  });

  test("has what is new done like everybody", async () => {
    await using process = aProcess();
    const { terms, ...ended } = await anEnded();
    await process.submit({ terms, ...ended });
    const fresh = recordOf({ payer: terms.payer, provider: terms.provider });
    process.taken();

    expect(await process.submit(fresh)).toBe("PENDING");
    expect(await process.submit(fresh)).toBe("PENDING");
    expect(await process.submit(settleOf(fresh.terms.id))).toBe("SETTLED");
    expect(process.taken()).toEqual(new Set(["read", "memory"]));
  });

  test("is told no more than others may know", async () => {
    await using process = aProcess();
    const { id } = (await anEnded()).terms;
    const settle: Command = { kind: "settle", id, amount: undefined, caller: agent("eve") };

    for (let nth = 0; nth < 3; nth++) {
      expect(await process.submit(settle)).toBe("TRANSACTION_NOT_FOUND");
    }
  });
});

describe("a repeater", () => {
  test("is one for a minute from the last time on", () => {
    let ms = 0;
    const repeaters = createRepeaters(() => ms);
    repeaters.note(["ann", "bob"]);
    ms = 30_000;
    repeaters.note(["ann"]);
    ms = 60_000;

    expect(["ann", "bob"].map(repeaters.has)).toEqual([true, false]);
    ms = 90_000;
    expect(repeaters.has("ann")).toBe(false);
    expect(repeaters.isEmpty).toBe(true);
  });

  test("is forgotten when ten thousand came after", () => {
    const repeaters = createRepeaters(() => 0);
    repeaters.note(Array.from({ length: 10_001 }, (_, nth) => `r${nth}`));

    expect(["r0", "r1", "r10000"].map(repeaters.has)).toEqual([false, true, true]);
  });
});
