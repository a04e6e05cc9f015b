import { BidTermsSchema } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { PPM } from "@bourse/scoring";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { automaticTerms } from "../src/automatic-bid.ts";
import { readTerms, writeRefusal } from "../src/codec/bid.ts";
import { aBidder, aSpec } from "./support/builders.ts";
import { NOON } from "./support/clock.ts";

const MONEY_MAX = 9_000_000_000_000_000n;
const SECONDS_MAX = 2n ** 63n - 1n;

test.each([
  ["longest", SECONDS_MAX, 2_147_483_647],
  ["most negative", -SECONDS_MAX - 1n, -2_147_483_648],
])("a refused bid with the %s latency can be told again", (_which, seconds, nanos) => {
  const asked = create(BidTermsSchema, {
    price: { micros: 1n, currencyCode: "EUR" },
    latency: { seconds, nanos },
  });

  const told = writeRefusal({
    agentId: "odd",
    terms: readTerms(asked),
    faults: [],
    submitTime: NOON,
  });

  expect(toBinary(BidTermsSchema, create(BidTermsSchema, told.terms))).toBeDefined();
});

test("an automatic bid of a boundless cost model can be told, and is dearer than any task", () => {
  const { maxConcurrent, ...bidder } = aBidder();
  const costModel = {
    baseMicros: MONEY_MAX,
    perMinuteMicros: MONEY_MAX,
    complexityMultiplierPpm: 10n * PPM,
  };
  const spec = aSpec({ needs: { maxLatencyMs: 31_536_000_000n } });

  const { price } = automaticTerms(spec, {
    ...bidder,
    maxConcurrent,
    costModel,
    successPpm: PPM,
    reliabilityPpm: PPM,
  });

  expect(price.micros).toBeGreaterThan(MONEY_MAX);
  expect(BigInt.asIntN(64, price.micros)).toBe(price.micros);
});
