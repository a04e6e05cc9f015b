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
}, 120_000);
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

test("history is exported as CSV into a file, without formulas", async () => {
  const out = join(operator.data, "history.csv");

  const { exitCode, stdout } = await ledger("export", "--format", "csv", "--out", out);

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

test.each([
  [["export", "--from", "yesterday"], "--from takes a day"],
  [["summary", "--zone", "Mars/Olympus"], "INVALID_REQUEST: time_zone must be the name of"],
  [["export", "--resume", "x"], "INVALID_RESUME_TOKEN"],
])("bourse ledger %j is refused in a sentence", async (parameters, sentence) => {
  const { exitCode, stderr } = await ledger(...parameters);

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^bourse: /);
  expect(stderr).toContain(sentence);
});
