import type { JsonObject } from "@bourse/proof";
import { TransactionSchema } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { RecordTransactionResponseSchema } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeTransaction } from "../src/codec.ts";
import type { Dispute, Transaction } from "../src/transaction.ts";
import { encodeOnlyTransaction } from "../src/transaction-bytes.ts";

const instant = fc.date({
  min: new Date(0),
  max: new Date("2200-01-01"),
  noInvalidDate: true,
});
const text = fc.string({ unit: "grapheme", maxLength: 200 });
const micros = fc.bigInt({ min: 0n, max: 9_000_000_000_000_000n });
const ms = fc.nat({ max: 366 * 86_400_000 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const dispute: fc.Arbitrary<Dispute> = fc.record({
  flaggedBy: text,
  flaggedAt: instant,
  evidenceDue: instant,
  rulingDue: instant,
  dueAt: maybe(instant),
  wasSettled: fc.boolean(),
  amount: micros,
  evidence: fc.array(
    fc.record({
      submitter: text,
      note: text,
      reference: text,
      sha256: text,
      submittedAt: instant,
    }),
    { maxLength: 3 },
  ),
  votes: fc.array(
    fc.record({ arbitrator: text, shareBps: fc.nat(10_000), reason: text, votedAt: instant }),
    { maxLength: 3 },
  ),
  ruling: maybe(
    fc.record({
      rule: fc.constantFrom("PANEL" as const, "OPERATOR" as const),
      providerShareBps: fc.nat(10_000),
      reason: text,
      ruledBy: text,
      ruledAt: instant,
    }),
  ),
});

const transaction: fc.Arbitrary<Transaction> = fc.record({
  id: fc.uuid(),
  payer: text,
  provider: text,
  capability: text,
  amount: fc.record({ micros, currency: fc.constantFrom("EUR", "SAT", "") }),
  context: maybe(fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<JsonObject>),
  recorder: text,
  groupId: maybe(fc.uuid()),
  holdMs: ms,
  delivery: maybe(fc.record({ withinMs: ms, sha256: text, reviewMs: ms })),
  arbitration: maybe(
    fc.record({
      arbitrators: fc.array(text, { maxLength: 3 }),
      quorum: fc.nat(3),
      evidenceMs: ms,
      rulingMs: ms,
    }),
  ),
  state: fc.constantFrom("PENDING", "SETTLED", "CANCELLED", "DISPUTED"),
  settled: micros,
  owed: micros,
  hold: maybe(fc.record({ id: fc.uuid(), account: micros, amount: micros, dueAt: maybe(instant) })),
  delivered: maybe(fc.record({ at: instant, sha256: text, reference: text })),
  dispute: maybe(dispute),
  endRule: maybe(fc.constantFrom("NOT_DELIVERED" as const, "SILENCE_ACCEPTS" as const)),
  createdAt: instant,
  updatedAt: instant,
  settledAt: maybe(instant),
});

test("a transaction that is written field by field is the one that the library would write", () => {
  fc.assert(
    fc.property(transaction, (each) => {
      const written = fromBinary(RecordTransactionResponseSchema, encodeOnlyTransaction(each));

      const expected = create(RecordTransactionResponseSchema, {
        transaction: fromBinary(
          TransactionSchema,
          toBinary(TransactionSchema, encodeTransaction(each)),
        ),
      });
      expect(written).toEqual(expected);
    }),
  );
});

test("an answer that cannot be written leaves nothing of it in the next one", () => {
  const [good] = fc.sample(transaction, { numRuns: 1, seed: 1 });
  if (good === undefined) throw new Error("no sample");
  const bytes = encodeOnlyTransaction(good);

  expect(() => encodeOnlyTransaction({ ...good, settled: 2n ** 70n })).toThrow();

  expect(encodeOnlyTransaction(good)).toEqual(bytes);
});
