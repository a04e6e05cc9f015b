import { randomUUID } from "node:crypto";
import { type Transaction, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Chance, chanceOf } from "../support/chance.ts";
import {
  aLine,
  type Call,
  endStateOf,
  euros,
  type Line,
  movementsOf,
  OWNERS,
  paidBy,
  singly,
  together,
} from "../support/journal.ts";
import { startLedgers, type TestLedgers } from "../support/ledgers.ts";
import { isPassing, persist } from "../support/persistence.ts";

/** More deaths by BOURSE_FAULT_KILLS; the choices of another run again by BOURSE_FAULT_SEED. */
const KILLS = Number(process.env["BOURSE_FAULT_KILLS"] ?? 10);
const SEED = Number(process.env["BOURSE_FAULT_SEED"] ?? Date.now() % 1_000_000);
const WORKERS = 10;
const PLENTY = 1_000_000_000;
const TIMEOUT_MS = 120_000 + KILLS * 15_000;

/** All that a client wrote down while its ledgers died. */
interface Journal {
  readonly lines: Line[];
  /** Every call that was ever sent, those of the same transactions in order. */
  readonly lives: (readonly Call[])[];
  /** Transactions of somebody who has no money, each refused or of unknown fate. */
  readonly poor: Line[];
}

/** Works at ledgers while they and their Postgres are killed, and keeps the journal. */
async function liveThroughDeaths(ledgers: TestLedgers, chance: Chance): Promise<Journal> {
  const journal: Journal = { lines: [], lives: [], poor: [] };
  const anyone = () => chance.oneOf(ledgers.connections).ledger;
  let answers = 0;
  let kills = 0;
  let next = 50;

  function answered(): void {
    answers += 1;
    if (answers < next || kills === KILLS) return;
    kills += 1;
    next = answers + 30 + chance.below(60);
    const victims = chance.below(4) === 0 ? ledgers.victims : [chance.oneOf(ledgers.victims)];
    for (const victim of victims) victim.kill();
  }

  /** Answers with whether the call was answered; one that was not may be sent again, or never. */
  async function attempt({ send, note }: Call): Promise<boolean> {
    note("unknown");
    try {
      await (chance.below(2) === 0 ? persist(() => send(anyone())) : send(anyone()));
    } catch (error) {
      if (!isPassing(error)) throw error;
      await persist(() => anyone().getBalances({ owner: "nobody" }));
      return false;
    }
    note("acknowledged");
    answered();
    return true;
  }

  async function live(calls: readonly Call[]): Promise<void> {
    const life: Call[] = [];
    journal.lives.push(life);
    for (const call of calls) {
      life.push(call);
      if (!(await attempt(call))) return;
    }
  }

  async function work(): Promise<void> {
    while (kills < KILLS || answers < next) {
      const kind = chance.below(10);
      if (kind === 0) {
        const line = aLine(chance, { payer: "poor", provider: "ann" });
        journal.poor.push(line);
        await attempt(refusedCall(line));
      } else if (kind < 4) {
        const { lines, calls } = together(chance);
        journal.lines.push(...lines);
        await live(calls);
      } else {
        const line = aLine(chance);
        journal.lines.push(line);
        await live(singly(line));
      }
    }
  }

  await Promise.all(Array.from({ length: WORKERS }, work));
  return journal;
}

/** Records what cannot be paid; the refusal is the answer. */
function refusedCall(line: Line): Call {
  const [record] = singly(line);
  if (record === undefined) throw new Error("a line has no call");
  return {
    note: record.note,
    async send(ledger) {
      const reason = await record.send(ledger).then(
        () => "recorded",
        (error) => {
          if (isPassing(error)) throw error;
          return reasonOf(error);
        },
      );
      expect(reason).toMatch(/^(INSUFFICIENT_FUNDS|TRANSACTION_ID_BURNT)$/);
    },
  };
}

/** What of the journal the books contradict. */
function contradictions(
  lines: readonly Line[],
  found: ReadonlyMap<string, Transaction>,
): readonly string[] {
  return lines.flatMap((line) => {
    const { transactionId, recorded, ended } = line;
    const there = found.get(transactionId);
    if (there === undefined) return recorded === "acknowledged" ? [`${transactionId} is lost`] : [];
    const { state, settledAmount, amount } = there;
    const isEnded = state === endStateOf(line) && Number(settledAmount?.micros) === paidBy(line);
    const isOpen = state === TransactionState.PENDING && settledAmount?.micros === 0n;
    const fits = { unsent: isOpen, unknown: isOpen || isEnded, acknowledged: isEnded }[ended];
    return fits && amount?.micros === BigInt(line.micros)
      ? []
      : [`${transactionId} is ${TransactionState[state as never]} with ${settledAmount?.micros}`];
  });
}

/** The batches of which some transactions are there and others are not. */
function brokenBatches(
  lines: readonly Line[],
  found: ReadonlyMap<string, Transaction>,
): readonly string[] {
  const batches = Map.groupBy(
    lines.filter(({ batch }) => batch !== ""),
    ({ batch }) => batch,
  );
  return [...batches].flatMap(([batch, members]) => {
    const there = members.filter(({ transactionId }) => found.has(transactionId)).length;
    return there === 0 || there === members.length ? [] : [batch];
  });
}

describe.each([
  ["one ledger", 1],
  ["two ledgers on one database", 2],
])(`of %s, killed ${KILLS} times with or without Postgres (seed ${SEED})`, (_title, count) => {
  let ledgers: TestLedgers;
  let journal: Journal;
  beforeAll(async () => {
    ledgers = await startLedgers(count);
    for (const owner of OWNERS) await deposit(randomUUID(), owner);
    journal = await liveThroughDeaths(ledgers, chanceOf(SEED + count));
  }, TIMEOUT_MS);
  afterAll(() => ledgers?.[Symbol.asyncDispose]());

  const operator = () => ledgers.connections[0] as TestLedgers["connections"][number];

  function deposit(depositId: string, owner: string) {
    return persist(() => operator().ledger.deposit({ depositId, owner, amount: euros(PLENTY) }));
  }

  async function allTransactions(): Promise<ReadonlyMap<string, Transaction>> {
    const found = new Map<string, Transaction>();
    let pageToken = "";
    do {
      const request = { pageSize: 1_000, pageToken };
      const page = await persist(() => operator().ledger.listTransactions(request));
      for (const transaction of page.transactions)
        found.set(transaction.transactionId, transaction);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  test("all that was acknowledged is there, and the rest is there whole or not at all", async () => {
    const found = await allTransactions();

    expect(journal.lines.filter(({ recorded }) => recorded === "acknowledged")).not.toEqual([]);
    expect(contradictions(journal.lines, found)).toEqual([]);
    expect(brokenBatches(journal.lines, found)).toEqual([]);
    expect(
      [...found.keys()].filter((id) => !journal.lines.some((line) => line.transactionId === id)),
    ).toEqual([]);
  });

  test("sending every call again brings each transaction to its end", async () => {
    const again = async (life: readonly Call[]) => {
      for (const { send, note } of life) {
        await persist(() => send(operator().ledger));
        note("acknowledged");
      }
    };

    await Promise.all(journal.lives.map(again));

    const found = await allTransactions();

    expect(
      contradictions(
        journal.lines.filter(({ recorded }) => recorded !== "unsent"),
        found,
      ),
    ).toEqual([]);
    expect(found.size).toBe(journal.lines.length);
  });

  test("no money is there twice and none is lost", async () => {
    const sum = (lines: readonly Line[], micros: (line: Line) => number) =>
      lines.reduce((total, line) => total + micros(line), 0);
    const expected = OWNERS.map((owner) => {
      const paying = journal.lines.filter(({ payer }) => payer === owner);
      const paid = journal.lines.filter(({ provider }) => provider === owner);
      const held = paying.filter(({ ended }) => ended !== "acknowledged");
      const [out, came] = [paying.filter(isEnded), paid.filter(isEnded)];
      return {
        posted: BigInt(PLENTY - sum(out, paidBy) + sum(came, paidBy)),
        held: BigInt(sum(held, ({ micros }) => micros)),
      };
    });

    const found = await Promise.all(
      OWNERS.map(async (owner) => {
        const [account] = (await operator().ledger.getBalances({ owner })).accounts;
        return { posted: account?.postedMicros, held: account?.heldMicros };
      }),
    );

    expect(found).toEqual(expected);
  });

  test("what was refused for want of funds stays refused when funds are there", async () => {
    for (const line of journal.poor) await persist(() => refusedCall(line).send(operator().ledger));
    await deposit(randomUUID(), "poor");

    const reasons = await Promise.all(
      journal.poor.map((line) =>
        singly(line)[0]
          ?.send(operator().ledger)
          .then(() => "recorded", reasonOf),
      ),
    );

    expect(new Set(reasons)).toEqual(new Set(["TRANSACTION_ID_BURNT"]));
  });

  test("the books and their chain can be proved, and bear no movement too many", async () => {
    const books = await operator().ledger.verify({}, { timeoutMs: 60_000 });
    const chain = await operator().lineage.verifyChain({}, { timeoutMs: 60_000 });
    const moved = journal.lines.map((line) => (isEnded(line) ? movementsOf(line) : 1));

    expect(books).toMatchObject({ ok: true, divergences: [] });
    expect(chain).toMatchObject({ ok: true });
    expect(Number(books.movements)).toBe(
      moved.reduce((total, count) => total + count, 0) + OWNERS.length + 1,
    );
  });
});

function isEnded({ ended }: Line): boolean {
  return ended === "acknowledged";
}
