import { randomUUIDv7 } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Command } from "../src/command.ts";
import { createQueue } from "../src/queue.ts";
import type { Road } from "../src/store.ts";
import { AUCTION, depositOf, eur, openStores, outcomeOf, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database, store } = await booksForFile();

/** A process: the outcome of what it decides from memory, else how it was decided. */
function aProcess() {
  let last: Road | undefined;
  const onRoad = (road: Road) => {
    last = road;
  };
  const { ledger } = openStores(database, undefined, { onRoad });
  return async (...commands: readonly Command[]) => {
    const { answers } = await ledger.commit(commands);
    return last === "lock" ? "under lock" : outcomeOf(answers.at(-1));
  };
}

/** A payer with money, whose account and provider are there. */
async function aPayer(): Promise<string> {
  const payer = `payer-${randomUUIDv7()}`;
  await store.commit([depositOf({ owner: payer }), recordOf({ payer })]);
  return payer;
}

describe("what is more than a payment is decided under lock, and keeps no other from memory", () => {
  test("a payment that was delivered for", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const hold = recordOf({ payer });
    const { id } = hold.terms;
    const told = { kind: "deliver", id, caller: AUCTION, sha256: "", reference: "" } as const;
    const deliver: Command = { ...told, latencyMs: undefined };
    expect(await process(hold)).toBe("PENDING");
    expect(await process(deliver)).toBe("under lock");

    expect(await process(settleOf(id))).toBe("under lock");
    expect(await process(recordOf({ payer }))).toBe("PENDING");
  });

  test("one that has ended and is asked for again, beside others", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const hold = recordOf({ payer });
    const settle = settleOf(hold.terms.id);
    expect(await process(hold, settle)).toBe("SETTLED");

    expect(await process(recordOf({ payer }), settle)).toBe("under lock");
    expect(await process(recordOf({ payer }))).toBe("PENDING");
  });
});

test("what was decided under lock is remembered as that left it", async () => {
  const process = aProcess();
  const payer = await aPayer();
  const limit: Command = { kind: "limit", owner: payer, limit: eur(5_000) };
  const hold = recordOf({ payer });
  expect(await process(recordOf({ payer }))).toBe("PENDING");
  expect(await process(limit, hold)).toBe("under lock");

  expect(await process(recordOf({ payer, amount: eur(5_000) }))).toBe("PENDING");
  expect(await process(settleOf(hold.terms.id))).toBe("SETTLED");
});

test("under load, batches that cannot be decided from memory keep no others from it", async () => {
  const roads: Road[] = [];
  const onRoad = (road: Road) => void roads.push(road);
  const { ledger } = openStores(database, undefined, { onRoad });
  const limits = { batchMax: 10, queueMax: 1_000, lanes: 2 };
  await using queue = createQueue({ store: ledger, tell: () => {}, ...limits });
  const payer = await aPayer();
  const pay = () => queue.submit([recordOf({ payer, amount: eur(1) })]);
  const limit = (micros: number): Command => ({ kind: "limit", owner: payer, limit: eur(micros) });

  for (let nth = 1; nth <= 5; nth++) {
    const payments = Array.from({ length: 50 }, pay);
    await Promise.all([...payments, queue.submit([limit(nth)])]);
  }

  expect(roads).toContain("lock");
  expect(roads).not.toContain("stale");
  expect(roads.filter((road) => road === "memory").length).toBeGreaterThan(10);
});

describe("a deposit that was made before has its first answer", () => {
  test("also when it would not fit any more", async () => {
    const process = aProcess();
    const payer = await aPayer();
    const amount = { micros: 8_000_000_000_000_000_000n, currency: `X${randomUUIDv7().slice(-6)}` };
    const deposit = depositOf({ owner: payer, amount });
    await store.commit([deposit]);

    expect(await process(recordOf({ payer }), deposit)).toBe("under lock");
  });
});
