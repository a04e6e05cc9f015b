import fc from "fast-check";
import type { Money } from "../src/account.ts";
import type { Command, TransferCommand } from "../src/command.ts";
import type { Terms } from "../src/transaction.ts";
import {
  AUCTION,
  agent,
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";

/** Commands that are committed as one batch, so many ms after the batch before; or before it. */
export interface Moment {
  readonly jumpMs: number;
  readonly commands: readonly Command[];
}

/** Those who trade, and three who may be named as arbitrators. */
export const TRADERS = ["ann", "bob", "carl"];
const JUDGES = ["judge", "jury", "umpire"];
const HOUR_MS = 3_600_000;

const idOf = (nth: number) => `01990000-0000-7000-8000-${String(nth).padStart(12, "0")}`;
const id = fc.nat(4).map(idOf);
const group = fc.nat(1).map((nth) => idOf(100 + nth));
const trader = fc.constantFrom(...TRADERS);
const pair = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.shuffledSubarray(TRADERS, { minLength: 2, maxLength: 2 }) as fc.Arbitrary<
      [string, string]
    >,
  },
  { weight: 1, arbitrary: fc.tuple(trader, trader) },
);
const party = fc.constantFrom(...TRADERS, ...TRADERS, ...TRADERS, "judge").map(agent);
const judge = fc.constantFrom(...JUDGES, ...JUDGES, ...JUDGES, "ann").map(agent);
const micros = fc.bigInt({ min: 1n, max: 150n });
const money: fc.Arbitrary<Money> = fc.record({
  micros,
  currency: fc.constantFrom("EUR", "EUR", "EUR", "SAT"),
});
const window = fc.integer({ min: 1, max: 96 }).map((hours) => hours * HOUR_MS);
const sha256 = fc.constantFrom("", "aa", "bb");
const share = fc.constantFrom(0, 1, 3_333, 5_000, 10_000);
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq = 1) =>
  fc.option(arbitrary, { nil: undefined, freq });

const delivery = fc.record({
  withinMs: fc.oneof(fc.constant(0), window),
  sha256,
  reviewMs: window,
});
const arbitration = fc.record({
  arbitrators: fc.constant(JUDGES),
  quorum: fc.constantFrom(2, 3),
  evidenceMs: window,
  rulingMs: window,
});
const agreed: fc.Arbitrary<Partial<Terms>> = fc.oneof(
  // The same of most, so that an id meets its own content again.
  { weight: 2, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc.record({
      holdMs: window,
      delivery: maybe(delivery),
      arbitration: maybe(arbitration, 4),
    }),
  },
);

const recordAs = (id: fc.Arbitrary<string>, amount: fc.Arbitrary<Money>) =>
  fc
    .tuple(id, pair, amount, agreed)
    .map(([id, [payer, provider], amount, more]) =>
      recordOf({ id, payer, provider, amount, ...more }),
    );
const record = recordAs(id, money);
const settle = fc.tuple(id, maybe(money)).map(([id, part]) => settleOf(id, part));
const cancel = id.map(cancelOf);
const deliver = fc.tuple(id, sha256).map(
  ([id, hash]): Command => ({
    ...{ kind: "deliver", id, caller: AUCTION },
    ...{ sha256: hash, reference: "", latencyMs: undefined },
  }),
);
const evidence = fc.tuple(id, party, fc.constantFrom("this", "that")).map(
  ([id, caller, note]): Command => ({
    ...{ kind: "evidence", id, caller },
    evidence: [{ note, reference: "", sha256: "" }],
  }),
);
const vote = fc.tuple(id, judge, fc.constantFrom(0, 3_333)).map(
  ([id, caller, providerShareBps]): Command => ({
    ...{ kind: "vote", id, caller, providerShareBps, reason: "so" },
  }),
);
const transfer = fc
  .tuple(
    fc.constantFrom<TransferCommand["transfer"]>("DEPOSIT", "DEPOSIT", "WITHDRAWAL", "CREDIT"),
    fc.tuple(fc.nat(11).map(String), trader, money, fc.boolean()),
  )
  .map(([kind, [id, owner, amount, isNegative]]) => {
    if (kind !== "CREDIT") return depositOf({ transfer: kind, id, owner, amount: twice(amount) });
    const credits = { micros: isNegative ? -amount.micros : amount.micros, currency: "CRD" };
    return depositOf({ transfer: kind, id, owner, amount: credits, taskId: "task" });
  });
const limit = fc
  .tuple(trader, fc.constantFrom(0n, 50n, 200n), fc.constantFrom("EUR", "SAT"))
  .map(
    ([owner, micros, currency]): Command => ({ kind: "limit", owner, limit: { micros, currency } }),
  );
const status = fc
  .tuple(trader, fc.constantFrom("EUR", "SAT"), fc.constantFrom("OPEN", "OPEN", "FROZEN", "CLOSED"))
  .map(([owner, currency, status]) => ({ kind: "status", owner, currency, status }) as Command);
const small = micros.map((each) => eur(each / 3n + 1n));
const member = recordAs(
  fc.nat(4).map((nth) => idOf(10 + nth)),
  small,
);
const linked = fc
  .tuple(
    fc.tuple(group, fc.constantFrom("auction", "auction", "x402")),
    fc.uniqueArray(member, { minLength: 1, maxLength: 3, selector: ({ terms }) => terms.id }),
    fc.array(fc.oneof(settle, cancel), { maxLength: 1 }),
  )
  .map(
    ([[groupId, service], members, others]): Command => ({
      kind: "linked",
      commands: [
        ...members.map(({ terms }) =>
          recordOf({ ...terms, groupId, recorder: `service:${service}` }),
        ),
        ...others,
      ],
    }),
  );
const wholeGroup = fc
  .tuple(group, fc.constantFrom("settle", "cancel"))
  .map(([id, deed]) => ({ kind: "group", deed, id, caller: AUCTION }) as Command);

function twice({ micros, currency }: Money): Money {
  return { micros: 2n * micros, currency };
}

const single: fc.Arbitrary<readonly Command[]> = fc
  .oneof(
    { weight: 8, arbitrary: record },
    { weight: 5, arbitrary: settle },
    { weight: 2, arbitrary: cancel },
    { weight: 4, arbitrary: deliver },
    { weight: 4, arbitrary: id.map(disputeOf) },
    { weight: 3, arbitrary: evidence },
    { weight: 6, arbitrary: vote },
    { weight: 3, arbitrary: fc.tuple(id, share).map(([id, bps]) => resolveOf(id, bps)) },
    { weight: 2, arbitrary: id.map((id): Command => ({ kind: "due", id })) },
    { weight: 7, arbitrary: transfer },
    { weight: 4, arbitrary: limit },
    { weight: 2, arbitrary: status },
    { weight: 4, arbitrary: linked },
    { weight: 2, arbitrary: wholeGroup },
  )
  .map((command) => [command]);

/**
 * A provider that is paid, spends about as much as it has, with credit or without, and then has to give back what it
 * was paid: rare by chance alone.
 */
const overspent: fc.Arbitrary<readonly Command[]> = fc
  .record({
    nth: fc.nat(7),
    price: micros,
    credit: fc.constantFrom(0n, 50n, 200n),
    spent: fc.bigInt({ min: 1n, max: 500n }),
    isWithdrawn: fc.boolean(),
    share,
    isRuled: fc.boolean(),
  })
  .map(({ nth, price, credit, spent, isWithdrawn, share, isRuled }) => [
    depositOf({ id: `${nth}-in`, amount: eur(price) }),
    recordOf({ id: idOf(nth), amount: eur(price) }),
    settleOf(idOf(nth)),
    { kind: "limit", owner: "bob", limit: eur(credit) },
    isWithdrawn
      ? depositOf({ transfer: "WITHDRAWAL", id: `${nth}-out`, owner: "bob", amount: eur(spent) })
      : recordOf({ id: idOf(20 + nth), payer: "bob", provider: "carl", amount: eur(spent) }),
    disputeOf(idOf(nth)),
    ...(isRuled ? [resolveOf(idOf(nth), share)] : []),
  ]);

const steps = fc.oneof({ weight: 15, arbitrary: single }, { weight: 1, arbitrary: overspent });

/** So many that most are new when they are recorded. */
const many = fc.nat(60).map(idOf);
const payments: fc.Arbitrary<readonly Command[]> = fc
  .oneof(
    { weight: 6, arbitrary: recordAs(many, money) },
    {
      weight: 4,
      arbitrary: fc.tuple(many, maybe(money, 4)).map(([id, part]) => settleOf(id, part)),
    },
    { weight: 2, arbitrary: many.map(cancelOf) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.nat(40), trader, money)
        .map(([nth, owner, amount]) => depositOf({ id: `paid-${nth}`, owner, amount })),
    },
  )
  .map((command) => [command]);

/** A new step or, by a number, one of the history so far again. */
type Step = readonly Command[] | number;

/** Money for all, so that most of what follows can happen. */
const opening: Moment = {
  jumpMs: 0,
  commands: TRADERS.map((owner) => depositOf({ id: owner, owner, amount: eur(250) })),
};

const jump = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: window },
  { weight: 1, arbitrary: window.map((ms) => -ms) },
);

/** What may happen to one ledger, moment by moment; more of it with a higher number. */
export function histories(maxLength: number): fc.Arbitrary<readonly Moment[]> {
  const step = fc.oneof({ weight: 4, arbitrary: steps }, { weight: 1, arbitrary: fc.nat(99) });
  return historiesOf({ jumpMs: jump, step, batchMax: 6, maxLength });
}

/** Payments only, in a time in which no rule ends one, as a ledger decides them from memory. */
export function paymentHistories(maxLength: number): fc.Arbitrary<readonly Moment[]> {
  return historiesOf({ jumpMs: fc.constantFrom(0, 1), step: payments, batchMax: 3, maxLength });
}

function historiesOf({
  jumpMs,
  step,
  batchMax,
  maxLength,
}: {
  readonly jumpMs: fc.Arbitrary<number>;
  readonly step: fc.Arbitrary<Step>;
  readonly batchMax: number;
  readonly maxLength: number;
}): fc.Arbitrary<readonly Moment[]> {
  const batch = fc.array(step, { minLength: 1, maxLength: batchMax });
  const moment = fc.record({ jumpMs, batch });
  return fc.array(moment, { minLength: 1, maxLength, size: "max" }).map((moments) => {
    const past: Command[] = [];
    const rest = moments.map(({ jumpMs, batch }) => {
      const commands = batch.flatMap((step) =>
        typeof step === "number" ? past.slice(step % (past.length + 1)).slice(0, 1) : step,
      );
      past.push(...commands);
      return { jumpMs, commands };
    });
    return [opening, ...rest];
  });
}
