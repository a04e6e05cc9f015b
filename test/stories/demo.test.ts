import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { choosePorts, startMarket } from "@bourse/cli/market";
import { createPool } from "@bourse/postgres";
import { removeEmbedded } from "@bourse/postgres/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dumpState } from "../support/books.ts";
import { bourse } from "../support/command.ts";

/** The part of what `bourse demo --json` prints that its story is told from. */
interface Report {
  readonly what_if: boolean;
  readonly seed: number;
  readonly market_check: { readonly available_micros: string };
  readonly bids: {
    readonly ranking: readonly {
      readonly agent_id: string;
      readonly price_micros: string;
      readonly score_micros: string;
      readonly score_parts: readonly { readonly micros: string }[];
    }[];
    readonly refused: readonly {
      readonly agent_id: string;
      readonly faults: readonly { readonly reason: string }[];
    }[];
    readonly declined: readonly { readonly agent_id: string }[];
  };
  readonly award: { readonly winner: string; readonly margin_micros: string };
  readonly execution: { readonly success: boolean; readonly actual_seconds: number };
  readonly settlement: {
    readonly task_state: string;
    readonly transaction_state: string;
    readonly paid_micros: string;
    readonly movements: readonly { readonly kind: string }[];
    readonly lineage: readonly { readonly type: string }[];
    readonly books_hold: boolean;
    readonly chain_holds: boolean;
  };
}

const DEMO_MS = 90_000;

let folder: string;
let story: Report;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bourse-demo-"));
  story = await demo("story", "--seed", "7");
}, DEMO_MS);
afterAll(async () => {
  for (const name of ["story", "again", "paper", "untouched"])
    await removeEmbedded(join(folder, name, "postgres"));
  await rm(folder, { recursive: true, force: true });
});

/** Plays the demo on a data folder of its own and reads what it tells. */
async function demo(name: string, ...parameters: readonly string[]): Promise<Report> {
  const data = join(folder, name);
  const { exitCode, stdout, stderr } = await bourse(
    "demo",
    "--json",
    "--data",
    data,
    ...parameters,
  );
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("the demo", () => {
  test("has two legal bids, of which the dearer and better one wins", () => {
    const { ranking } = story.bids;

    expect(ranking.map(({ agent_id, price_micros }) => [agent_id, price_micros])).toEqual([
      ["build-iso-optimizer", "2300000"],
      ["iso-workshop", "1950000"],
    ]);
    expect(story.award.winner).toBe("build-iso-optimizer");
    expect(BigInt(story.award.margin_micros)).toBeGreaterThan(0n);
  });

  test("shows every term of each score", () => {
    for (const { score_micros, score_parts } of story.bids.ranking) {
      const sum = score_parts.reduce((total, { micros }) => total + BigInt(micros), 0n);
      expect(sum).toBe(BigInt(score_micros));
    }
  });

  test("has one illegal bid, refused for each rule that it breaks", () => {
    expect(story.bids.refused).toMatchObject([
      {
        agent_id: "build-iso-optimizer-backup",
        faults: [{ reason: "LATENCY_EXCEEDS_MAX" }, { reason: "SUCCESS_RATE_BELOW_MIN" }],
      },
    ]);
    expect(story.bids.refused).toHaveLength(1);
  });

  test("pays the winner out of the hold, and its books and its record can be proved", () => {
    expect(story.settlement).toMatchObject({
      task_state: "SUCCEEDED",
      transaction_state: "SETTLED",
      paid_micros: "2300000",
      books_hold: true,
      chain_holds: true,
    });
    expect(story.settlement.movements.map(({ kind }) => kind)).toEqual(["HOLD", "POST"]);
    expect(story.settlement.lineage.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["auction_created", "bid_refused", "task_awarded", "task_completed"]),
    );
  });

  test(
    "executes the same way under the same seed",
    async () => {
      const again = await demo("again", "--seed", "7");

      expect(again.execution).toEqual(story.execution);
      expect(again.bids.ranking).toEqual(story.bids.ranking);
    },
    DEMO_MS,
  );

  test(
    "goes through the same phases on paper and changes nothing",
    async () => {
      const paper = await demo("paper", "--what-if", "--seed", "7");

      expect(paper).toMatchObject({
        what_if: true,
        award: { winner: "build-iso-optimizer", price_micros: "2300000" },
        bids: { refused: story.bids.refused },
      });
      expect(await namesOfFilledTables("paper")).toEqual(await namesOfFilledTables("untouched"));
    },
    DEMO_MS,
  );
});

/** Starts a market on a data folder and looks which of its tables hold anything. */
async function namesOfFilledTables(name: string): Promise<readonly string[]> {
  const ports = await choosePorts("auto");
  await using market = await startMarket({ data: join(folder, name), ports });
  await using stack = new AsyncDisposableStack();
  const pool = createPool(market.databaseUrl, { max: 1 });
  stack.defer(() => pool.end());
  const tables = Object.entries(await dumpState(pool));
  return tables.filter(([, rows]) => rows.length > 0).map(([table]) => table);
}
