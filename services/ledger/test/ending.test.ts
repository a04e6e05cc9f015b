import { randomUUIDv7 } from "node:crypto";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { uncommitted } from "../src/account.ts";
import type { Command } from "../src/command.ts";
import { startDueLoop } from "../src/due-loop.ts";
import type { Terms } from "../src/transaction.ts";
import {
  ALL,
  AUCTION,
  agent,
  DAY_MS,
  depositOf,
  disputeOf,
  eur,
  outcomeOf,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";
import { booksForFile } from "./opened.ts";

const START = new Date("2026-11-21T10:00:00Z").getTime();

let time = START;
const now = () => new Date(time);

const { store } = await booksForFile(now);
afterEach(() => {
  time = START;
});

const submit = async (commands: readonly Command[]) => (await store.commit(commands)).answers;

/** Lets so many loops work at once until no rule is due. */
async function letLoopsWork(loops: number): Promise<void> {
  const faults: unknown[] = [];
  const onFault = (error: unknown) => faults.push(error);
  const options = { store, submit, now, pollMs: 1, onFault };
  const working = Array.from({ length: loops }, () => startDueLoop(options));
  await expect.poll(() => store.dueTransactions(now(), 1, {})).toEqual([]);
  for (const loop of working) await loop[Symbol.asyncDispose]();
  expect(faults).toEqual([]);
}

/** The owners and ids of one history, so that histories do not meet. */
interface Names {
  owner(nth: number): string;
  id(nth: number): string;
}

type Step = (names: Names) => Command | { readonly jumpMs: number };

const nth = fc.nat(3);
const party = fc.nat(2);
const micros = fc.bigInt({ min: 1n, max: 150n });
const days = fc.integer({ min: 1, max: 12 * 24 }).map((hours) => hours * 3_600_000);
const jump = fc.integer({ min: 1, max: 4 * 24 }).map((hours) => hours * 3_600_000);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const sha256 = fc.constantFrom("", "aa", "bb");
const terms: fc.Arbitrary<(names: Names) => Partial<Terms>> = fc
  .record({
    amount: micros,
    holdMs: days,
    delivery: maybe(
      fc.record({ withinMs: fc.oneof(fc.constant(0), days), sha256, reviewMs: days }),
    ),
    panel: maybe(fc.record({ evidenceMs: days, rulingMs: days, quorum: fc.constantFrom(1, 2) })),
  })
  .map(({ amount, panel, ...rest }) => ({ owner }) => ({
    ...rest,
    amount: eur(amount),
    arbitration: panel && { ...panel, arbitrators: [owner(3), owner(4)] },
  }));

const steps: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 4,
    arbitrary: fc.tuple(nth, party, party, terms).map(
      ([id, payer, provider, more]): Step =>
        (names) =>
          recordOf({
            ...more(names),
            id: names.id(id),
            payer: names.owner(payer),
            provider: names.owner(provider),
          }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(nth, sha256).map(
      ([id, hash]): Step =>
        (names) => ({
          kind: "deliver",
          id: names.id(id),
          caller: AUCTION,
          sha256: hash,
          reference: "",
          latencyMs: undefined,
        }),
    ),
  },
  {
    weight: 2,
    arbitrary: nth.map(
      (id): Step =>
        (names) =>
          settleOf(names.id(id)),
    ),
  },
  {
    weight: 4,
    arbitrary: nth.map(
      (id): Step =>
        (names) =>
          disputeOf(names.id(id)),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(nth, party).map(
      ([id, who]): Step =>
        (names) => ({
          kind: "evidence",
          id: names.id(id),
          caller: agent(names.owner(who)),
          evidence: [{ note: "so it was", reference: "", sha256: "" }],
        }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(nth, fc.constantFrom(3, 4), fc.constantFrom(0, 3_000, 10_000)).map(
      ([id, who, providerShareBps]): Step =>
        (names) => ({
          kind: "vote",
          id: names.id(id),
          caller: agent(names.owner(who)),
          providerShareBps,
          reason: "so",
        }),
    ),
  },
  {
    weight: 1,
    arbitrary: nth.map(
      (id): Step =>
        (names) =>
          resolveOf(names.id(id), 2_500),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom("DEPOSIT", "WITHDRAWAL"), party, micros).map(
      ([transfer, who, amount]): Step =>
        (names) =>
          depositOf({ transfer, owner: names.owner(who), amount: eur(amount * 2n) }),
    ),
  },
  {
    weight: 4,
    arbitrary: jump.map(
      (jumpMs): Step =>
        () => ({ jumpMs }),
    ),
  },
  {
    weight: 1,
    arbitrary: jump.map(
      (jumpMs): Step =>
        () => ({ jumpMs: -jumpMs }),
    ),
  },
];

const RUNS = Number(process.env["BOURSE_MODEL_RUNS"] ?? 40);

function theNames(): Names {
  const run = randomUUIDv7();
  return { owner: (n) => `owner${n}-${run}`, id: (n) => `${run.slice(0, -1)}${n}` };
}

describe("whatever happens", () => {
  test(
    "nothing is held or disputed for ever, the books verify, and who owes has nothing to spend",
    async () => {
      const ends = new Map<string, number>();
      const batch = fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 8 });
      const history = fc.array(batch, { minLength: 1, maxLength: 20, size: "max" });
      await fc.assert(
        fc.asyncProperty(history, async (batches) => {
          time = START;
          const names = theNames();
          const owners = [0, 1, 2].map(names.owner);
          await store.commit(owners.map((owner) => depositOf({ owner, amount: eur(200) })));
          for (const batch of batches) {
            const did = batch.map((step) => step(names));
            for (const one of did) if ("jumpMs" in one) time += one.jumpMs;
            await store.commit(did.filter((one) => "kind" in one));
          }

          // Later than any window after any other.
          time = Math.max(time, START) + 100 * DAY_MS;
          await letLoopsWork(2);

          for (const id of [0, 1, 2, 3].map(names.id)) {
            const ended = (await store.findTransaction(id, {}))?.transaction;
            if (ended === undefined) continue;
            expect(["SETTLED", "CANCELLED"]).toContain(ended.state);
            expect(ended.hold).toBeUndefined();
            const rule = ended.dispute?.ruling?.rule ?? ended.endRule ?? "NONE";
            ends.set(rule, (ends.get(rule) ?? 0) + 1);
          }
          for (const who of owners) {
            const { accounts } = await store.balances(who, { holdsMax: 10 });
            for (const account of accounts) {
              expect(account.owed === 0n || uncommitted(account) <= 0n).toBe(true);
            }
          }
          expect((await store.verify({ divergencesMax: 5 })).divergences).toEqual([]);
        }),
        { numRuns: RUNS },
      );
      // The histories come to nearly every end there is.
      expect(ends.size).toBeGreaterThan(4);
    },
    60_000 + RUNS * 1_000,
  );
});

describe("the loop", () => {
  test("ends what is due, once, however many loops there are", async () => {
    const owner = `payer-${randomUUIDv7()}`;
    const holds = Array.from({ length: 30 }, () =>
      recordOf({ payer: owner, provider: `${owner}-too`, amount: eur(10) }),
    );
    await store.commit([depositOf({ owner }), ...holds]);
    time += DAY_MS - 1;
    expect(await store.dueTransactions(now(), 100, {})).toEqual([]);

    time += 1;
    await letLoopsWork(3);

    const { accounts, openHolds } = await store.balances(owner, { holdsMax: 100 });
    expect(openHolds).toEqual([]);
    const his = { ...ALL, agent: owner };
    const { transactions: ended } = await store.listTransactions(his, undefined, 100, {});
    expect(new Set(ended.map(({ endRule }) => endRule))).toEqual(new Set(["NOT_DELIVERED"]));
    expect(accounts).toMatchObject([{ debitsHeld: 0n, debitsPosted: 0n, creditsPosted: 1_000n }]);
  });

  test("is not held up by what cannot be ended", async () => {
    const told: string[] = [];
    const tried: string[] = [];
    const options = {
      now,
      pollMs: 1,
      store: { dueTransactions: async () => ["stuck", "free"].filter((id) => !told.includes(id)) },
      submit: async ([command]: readonly Command[]) => {
        const id = command?.kind === "due" ? command.id : "";
        tried.push(id);
        if (id === "stuck") throw new Error("no road");
        told.push(id);
        return [];
      },
    };
    const faults: string[] = [];
    const onFault = (_error: unknown, id = "") => faults.push(id);
    {
      await using _loop = startDueLoop({ ...options, onFault });
      await expect.poll(() => tried.filter((id) => id === "stuck").length).toBeGreaterThan(2);
    }
    expect(told).toEqual(["free"]);
    expect(new Set(faults)).toEqual(new Set(["stuck"]));
  });
});

test("debts are read, locked and paid where money comes in, in any batch", async () => {
  const run = randomUUIDv7();
  const [payer, provider] = [`payer-${run}`, `provider-${run}`];
  const hold = recordOf({ payer, provider, amount: eur(100) });
  const { id } = hold.terms;
  await store.commit([
    depositOf({ owner: payer }),
    hold,
    settleOf(id),
    depositOf({ transfer: "WITHDRAWAL", owner: provider, amount: eur(100) }),
    disputeOf(id),
    resolveOf(id, 0),
  ]);

  const incoming = Array.from({ length: 5 }, () => depositOf({ owner: provider, amount: eur(30) }));
  await Promise.all(incoming.map((deposit) => store.commit([deposit])));

  const found = await store.findTransaction(id, {});
  expect(found?.transaction).toMatchObject({ state: "CANCELLED", owed: 0n });
  const paid = found?.movements.filter(({ kind }) => kind === "TRANSFER") ?? [];
  expect(paid.map(({ amount }) => amount)).toEqual([30n, 30n, 30n, 10n]);
  const left = await store.balances(provider, { holdsMax: 1 });
  expect(left.accounts.map(uncommitted)).toEqual([50n]);
  expect(outcomeOf((await submit([{ kind: "due", id }]))[0])).toBe("CANCELLED");
  expect((await store.verify({ divergencesMax: 5 })).divergences).toEqual([]);
});

test("an account that owes by many transactions pays them in order, however much comes in", async () => {
  const run = randomUUIDv7();
  const [payer, provider] = [`payer-${run}`, `provider-${run}`];
  const holds = Array.from({ length: 20 }, () => recordOf({ payer, provider, amount: eur(10) }));
  const ids = holds.map(({ terms }) => terms.id).sort();
  await store.commit([
    depositOf({ owner: payer }),
    ...holds,
    ...ids.map((id) => settleOf(id)),
    depositOf({ transfer: "WITHDRAWAL", owner: provider, amount: eur(200) }),
    ...ids.map(disputeOf),
    ...ids.filter((_, nth) => nth % 2 === 0).map((id) => resolveOf(id, 0)),
  ]);
  const owed = async () => {
    const found = await Promise.all(ids.map((id) => store.findTransaction(id, {})));
    return found.map((one) => one?.transaction.owed);
  };

  await store.commit([depositOf({ owner: provider, amount: eur(15) })]);
  expect(await owed()).toEqual([0n, 5n, ...Array(18).fill(10n)]);
  // One more debt, which comes last, in the batch that pays others.
  const last = recordOf({ payer, provider, amount: eur(10) });
  ids.push(last.terms.id);
  await store.commit([
    last,
    settleOf(last.terms.id),
    disputeOf(last.terms.id),
    resolveOf(last.terms.id, 0),
    depositOf({ owner: provider, amount: eur(6) }),
  ]);
  expect(await owed()).toEqual([...Array(3).fill(0n), 9n, ...Array(17).fill(10n)]);
  await store.commit(
    [20, 3, 40].map((micros) => depositOf({ owner: provider, amount: eur(micros) })),
  );
  expect(await owed()).toEqual([...Array(9).fill(0n), 6n, ...Array(11).fill(10n)]);
  await store.commit([depositOf({ owner: provider, amount: eur(500) })]);

  expect(await owed()).toEqual(Array(21).fill(0n));
  const left = await store.balances(provider, { holdsMax: 100 });
  expect(left.accounts.map(uncommitted)).toEqual([384n]);
  expect((await store.verify({ divergencesMax: 5 })).divergences).toEqual([]);
});
