import { businessEvents } from "@bourse/telemetry";
import { describe, expect, test } from "vitest";
import { recordedLogger } from "./lines.ts";

interface Events {
  readonly task_awarded: { readonly task_id: string; readonly price_micros: bigint };
  readonly market_opened: Record<string, never>;
}

describe("a business event", () => {
  test("is one line with its name and its facts, money as text", () => {
    const { logger, objects } = recordedLogger();
    const tell = businessEvents<Events>(logger);

    tell("task_awarded", { task_id: "t1", price_micros: 9_007_199_254_740_993n });
    tell("market_opened", {});

    expect(objects()).toEqual([
      {
        level: "info",
        service: "ledger",
        event: "task_awarded",
        task_id: "t1",
        price_micros: "9007199254740993",
        msg: "task_awarded",
      },
      { level: "info", service: "ledger", event: "market_opened", msg: "market_opened" },
    ]);
  });

  test("that comes by the thousand is told at debug only", () => {
    for (const [level, told] of [
      ["info", 0],
      ["debug", 1],
    ] as const) {
      const { logger, objects } = recordedLogger({ level });

      businessEvents<Events>(logger, "debug")("market_opened", {});

      expect(objects()).toHaveLength(told);
    }
  });

  test("leaves the names of every line alone", () => {
    const { logger } = recordedLogger();

    // @ts-expect-error a fact named "level" would hide the level of the line
    expect(businessEvents<{ broken: { level: string } }>(logger)).toBeTypeOf("function");
  });
});
