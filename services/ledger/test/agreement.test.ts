import { randomUUIDv7 } from "node:crypto";
import type { RecordTransactionRequestSchema } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationFromMs, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Terms } from "../src/transaction.ts";
import { DAY_MS, outcomeOf, recordOf } from "./books.ts";
import { euros, refusalOf } from "./calls.ts";
import { aDraft, lastAnswer } from "./drafts.ts";
import { startLedger, type TestLedger } from "./server.ts";

let market: TestLedger;
let ledger: ReturnType<TestLedger["as"]>["ledger"];
beforeAll(async () => {
  market = await startLedger();
  ledger = market.as("operator").ledger;
  await ledger.deposit({ depositId: "d", owner: "ann", amount: euros(10_000) });
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

type Request = Exclude<
  MessageInitShape<typeof RecordTransactionRequestSchema>,
  { readonly $typeName: string }
>;

function request(wish: Request = {}): Request {
  const given = { payer: "ann", provider: "bob", capability: "x", amount: euros(1) };
  return { transactionId: randomUUIDv7(), ...given, ...wish };
}

const ms = (duration: Duration | undefined) => duration && durationMs(duration);

describe("what is agreed beyond the price", () => {
  test("is thirty days to hold, no delivery and no arbitration when nothing is said", async () => {
    const { transaction } = await ledger.recordTransaction(request());

    expect(ms(transaction?.holdTimeout)).toBe(30 * DAY_MS);
    expect(transaction?.delivery).toBeUndefined();
    expect(transaction?.arbitration).toBeUndefined();
    expect(timestampMs(transaction?.dueTime ?? ({} as never))).toBe(
      timestampMs(transaction?.createTime ?? ({} as never)) + 30 * DAY_MS,
    );
  });

  test("is three days to review, three for evidence and seven to rule where only that is named", async () => {
    const { transaction } = await ledger.recordTransaction(
      request({ delivery: {}, arbitration: { arbitrators: ["judge"], quorum: 1 } }),
    );

    expect(transaction?.delivery).toMatchObject({ sha256: "" });
    expect(transaction?.delivery?.within).toBeUndefined();
    expect(ms(transaction?.delivery?.reviewWindow)).toBe(3 * DAY_MS);
    expect(ms(transaction?.arbitration?.evidenceWindow)).toBe(3 * DAY_MS);
    expect(ms(transaction?.arbitration?.rulingWindow)).toBe(7 * DAY_MS);
  });

  test("comes back as it was said, also on a later reading", async () => {
    const said = {
      holdTimeout: durationFromMs(60_001),
      delivery: {
        within: durationFromMs(1_000),
        sha256: "ab".repeat(32),
        reviewWindow: durationFromMs(2_000),
      },
      arbitration: {
        arbitrators: ["judge", "jury"],
        quorum: 2,
        evidenceWindow: durationFromMs(3_000),
        rulingWindow: durationFromMs(4_000),
      },
    };
    const asked = request(said);

    const { transaction: answered } = await ledger.recordTransaction(asked);
    const { transaction: read } = await ledger.getTransaction({
      transactionId: asked.transactionId ?? "",
    });

    expect(answered).toMatchObject(said);
    expect(read).toEqual(answered);
  });

  test("is kept to the millisecond, and never shorter than one", async () => {
    const { transaction } = await ledger.recordTransaction(
      request({ holdTimeout: { seconds: 0n, nanos: 1 } }),
    );

    expect(ms(transaction?.holdTimeout)).toBe(1);
  });

  const tooLong = durationFromMs(367 * DAY_MS);
  const nothing = durationFromMs(0);
  test.each<[string, Request, string[]]>([
    ["to hold for no time", { holdTimeout: nothing }, ["hold_timeout DURATION_GT_LTE"]],
    ["to hold for more than 366 days", { holdTimeout: tooLong }, ["hold_timeout DURATION_GT_LTE"]],
    [
      "windows that are none or too long",
      {
        delivery: { within: nothing, reviewWindow: tooLong },
        arbitration: { evidenceWindow: durationFromMs(-1), rulingWindow: tooLong },
      },
      [
        "delivery.within DURATION_RANGE",
        "delivery.review_window DURATION_RANGE",
        "arbitration.evidence_window DURATION_RANGE",
        "arbitration.ruling_window DURATION_RANGE",
      ],
    ],
    [
      "a hash that is none",
      { delivery: { sha256: "AB".repeat(32) } },
      ["delivery.sha256 STRING_PATTERN"],
    ],
    [
      "a party among the arbitrators",
      { arbitration: { arbitrators: ["judge", "bob", "ann"], quorum: 2 } },
      [
        "arbitration.arbitrators[1] ARBITRATOR_IS_PARTY",
        "arbitration.arbitrators[2] ARBITRATOR_IS_PARTY",
      ],
    ],
    [
      "an arbitrator twice",
      { arbitration: { arbitrators: ["judge", "judge"], quorum: 1 } },
      ["arbitration.arbitrators REPEATED_UNIQUE"],
    ],
    [
      "more votes than arbitrators",
      { arbitration: { arbitrators: ["judge"], quorum: 2 } },
      ["arbitration.quorum QUORUM_RANGE"],
    ],
    [
      "arbitrators who need not vote",
      { arbitration: { arbitrators: ["judge"], quorum: 0 } },
      ["arbitration.quorum QUORUM_RANGE"],
    ],
    [
      "votes of nobody",
      { arbitration: { arbitrators: [], quorum: 1 } },
      ["arbitration.quorum QUORUM_RANGE"],
    ],
  ])("is refused with the fields named: %s", async (_case, wish, faults) => {
    const refused = await refusalOf(ledger.recordTransaction(request(wish)));

    expect(refused).toMatchObject({ reason: "INVALID_REQUEST", faults });
  });

  const delivery = { withinMs: 1, sha256: "", reviewMs: 1 };
  const arbitration = { arbitrators: ["judge"], quorum: 1, evidenceMs: 1, rulingMs: 1 };
  test.each<[string, Partial<Terms>]>([
    ["group_id", { groupId: randomUUIDv7() }],
    ["hold_timeout", { holdMs: 1 }],
    ["delivery", { delivery: { ...delivery, reviewMs: 2 } }],
    ["delivery", { delivery: undefined }],
    ["arbitration", { arbitration: { ...arbitration, arbitrators: ["jury"] } }],
    ["arbitration", { arbitration: undefined }],
  ])("belongs to the content of an id: another %s is named (%#)", (field, changes) => {
    const first = recordOf({ delivery, arbitration });
    const second = recordOf({ ...first.terms, ...changes });

    const answer = lastAnswer(aDraft(), first, second);

    expect(outcomeOf(answer)).toBe("TRANSACTION_ID_REUSED");
    expect(answer?.kind === "refused" && answer.refusal.metadata).toEqual({ field });
  });
});
