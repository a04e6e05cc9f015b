import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bourse } from "../support/command.ts";
import { eur } from "../support/money.ts";
import { anOperator, type Operator } from "../support/operator.ts";

let operator: Operator;
/** One that is settled and one that is held, in this order. */
const ids = [randomUUID(), randomUUID()];

beforeAll(async () => {
  operator = await anOperator();
  // Agents that have worked before.
  const demo = await bourse("demo", "--data", operator.data);
  expect(demo.exitCode).toBe(0);
  await operator.up();
  await using buyer = await operator.connectAs("buyer");
  await using desk = await operator.connectAsOperator();
  await desk.ledger.deposit({ depositId: "d-1", owner: "buyer", amount: eur(10) });
  for (const transactionId of ids) {
    await buyer.ledger.recordTransaction({
      transactionId,
      payer: "buyer",
      provider: "worker",
      capability: "=translate",
      amount: eur(2.5),
    });
  }
  await buyer.ledger.settleTransaction({ transactionId: ids[0] ?? "" });
});
afterAll(() => operator?.[Symbol.asyncDispose]());

const ledger = (...parameters: string[]) =>
  bourse("ledger", ...parameters, "--data", operator.data);

test("history is exported as JSON lines, one for each transaction", async () => {
  const { exitCode, stdout } = await ledger("export", "--agent", "worker");

  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(exitCode).toBe(0);
  expect(lines.map(({ transaction }) => transaction.transaction_id)).toEqual(ids);
  expect(lines[0].transaction.settled_amount.micros).toBe("2500000");
});

test("a leaderboard ranks those who worked, as a table or as JSON", async () => {
  const run = (...parameters: string[]) =>
    bourse("leaderboard", ...parameters, "--data", operator.data);

  const table = await run("--by", "calibration");
  const { entries } = JSON.parse((await run("iso_construction", "--json")).stdout);

  expect(table.stdout).toContain("calibration");
  expect(entries.length).toBeGreaterThan(1);
  expect(entries[0]).toMatchObject({ rank: 1, reputation: { score: expect.any(Number) } });
  expect((await run("--limit", "0")).stderr).toContain("--limit takes a whole number");
  expect((await run("nobody-does-this")).stdout).toMatch(/^nobody has a record here yet/);
});

test("a reputation is shown with the tasks that it rests on", async () => {
  const board = await bourse("leaderboard", "--json", "--data", operator.data);
  const agentId = JSON.parse(board.stdout).entries[0].agent_id;

  const { stdout } = await bourse("reputation", agentId, "--data", operator.data);
  const unknown = await bourse("reputation", "nobody", "--data", operator.data);

  expect(stdout).toMatch(/score \d\.\d{3}, calibration/);
  expect(stdout).toContain("iso_construction");
  expect(stdout).toMatch(/in (full|part)/);
  expect(unknown.stderr).toContain("AGENT_NOT_FOUND");
});

test("history is exported as CSV into a file, without formulas", async () => {
  const out = join(operator.data, "history.csv");

  const parameters = ["--agent", "worker", "--format", "csv", "--out", out];
  const { exitCode, stdout } = await ledger("export", ...parameters);

  const [head = "", ...lines] = (await readFile(out, "utf8")).trimEnd().split("\r\n");
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  expect(head).toMatch(/^transaction_id,state,payer,/);
  expect(lines.map((line) => line.split(",")[4])).toEqual(Array(3).fill("'=translate"));
});

test("a summary tells what was earned, in a table or as JSON", async () => {
  const table = await ledger("summary", "--by", "provider");
  const json = await ledger("summary", "--agent", "worker", "--json");

  expect(table.stdout).toContain("worker");
  expect(JSON.parse(json.stdout)).toMatchObject([
    {
      currency: "EUR",
      revenue_micros: "2500000",
      pending: { transactions: 1, amount_micros: "2500000" },
      settled: { transactions: 1, amount_micros: "2500000" },
    },
  ]);
});

test("the lines of a reputation ledger add up to the credits and end with the calibration", async () => {
  const { exitCode, stdout } = await ledger("export", "--format", "reputation");

  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const last = new Map(lines.map((line) => [line.agent_id, line]));
  expect(exitCode).toBe(0);
  expect(Object.keys(lines[0])).toEqual([
    "timestamp",
    "agent_id",
    "task_id",
    "credits_change",
    "credits_total",
    "calibration_score",
    "success",
  ]);
  expect(last.size).toBeGreaterThan(1);
  await using desk = await operator.connectAsOperator();
  for (const [agentId, { credits_total, calibration_score }] of last) {
    const { accounts } = await desk.ledger.getBalances({ owner: agentId });
    const { agent } = await desk.registry.getAgent({ agentId });
    const credits = accounts.find(({ currencyCode }) => currencyCode === "CRD");

    expect(Math.round(credits_total * 1e6)).toBe(Number(credits?.postedMicros));
    expect(calibration_score).toBe(agent?.reputation?.calibration);
  }
});

test.each([
  [["export", "--from", "yesterday"], "--from takes a day"],
  [["summary", "--zone", "Mars/Olympus"], "INVALID_REQUEST: time_zone must be the name of"],
  [["export", "--resume", "x"], "INVALID_RESUME_TOKEN"],
  [["export", "--format", "reputation", "--state", "settled"], "takes --agent, --from and --to"],
])("bourse ledger %j is refused in a sentence", async (parameters, sentence) => {
  const { exitCode, stderr } = await ledger(...parameters);

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^bourse: /);
  expect(stderr).toContain(sentence);
});
