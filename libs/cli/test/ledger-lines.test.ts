import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { ExportHistoryResponseSchema } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { FORMATS } from "../src/ledger/lines.ts";

const time = timestampFromDate(new Date("2026-03-01T12:00:00.123Z"));
const eur = (micros: bigint) => ({ micros, currencyCode: "EUR" });

function anEvent(capability = "translate") {
  return create(ExportHistoryResponseSchema, {
    transaction: {
      transactionId: "t-1",
      payer: "ann",
      provider: "bob",
      capability,
      state: TransactionState.SETTLED,
      amount: eur(9_007_199_254_740_993n),
      settledAmount: eur(60n),
      context: { task_id: 'task, "one"' },
      recorder: "service:auction",
      createTime: time,
    },
    movements: [MovementKind.HOLD, MovementKind.POST].map((kind, nth) => ({
      movementId: `m-${nth}`,
      kind,
      debitOwner: "ann",
      creditOwner: "bob",
      amount: eur(60n),
      createTime: time,
    })),
    resumeToken: "secret",
  });
}

describe("JSON lines", () => {
  test("hold a transaction each, with exact micros and times as RFC 3339", () => {
    const [line = "", ...rest] = FORMATS.jsonl.lines(anEvent()).split("\n");

    const { transaction, movements, ...others } = JSON.parse(line);
    expect(rest).toEqual([""]);
    expect(transaction.amount).toEqual({ micros: "9007199254740993", currency_code: "EUR" });
    expect(transaction.create_time).toBe("2026-03-01T12:00:00.123Z");
    expect(movements.map(({ kind }: { kind: string }) => kind)).toEqual([
      "MOVEMENT_KIND_HOLD",
      "MOVEMENT_KIND_POST",
    ]);
    expect(others).toEqual({});
  });
});

describe("CSV", () => {
  test("holds a movement per line, with as many fields as the head, ended by CR LF", () => {
    const lines = FORMATS.csv.lines(anEvent()).split("\r\n");

    const heads = FORMATS.csv.head.trimEnd().split(",");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe(
      "t-1,SETTLED,ann,bob,translate,service:auction,,EUR,9007199254740993,60,0," +
        '2026-03-01T12:00:00.123Z,,,"{""task_id"":""task, \\""one\\""""}",' +
        "m-0,HOLD,ann,bob,60,,2026-03-01T12:00:00.123Z",
    );
    expect(heads).toHaveLength(22);
  });

  test.each(["=HYPERLINK(1)", "+1", "-1", "@sum", "\t=1", "\r=1"])(
    "makes no formula of what a stranger wrote: %j",
    (capability) => {
      const [line = ""] = FORMATS.csv.lines(anEvent(capability)).split("\r\n");

      expect(line.split(",")[4]).toMatch(/^"?'/);
    },
  );
});
