import { CommanderError } from "commander";
import { describe, expect, test } from "vitest";
import { PARTS, readSettings } from "./settings.ts";

describe("the command line of the bench", () => {
  test("measures everything at full length when nothing is given", () => {
    expect(readSettings([])).toMatchObject({
      json: false,
      check: false,
      databaseUrl: undefined,
      only: PARTS,
      accounts: 100_000,
      rounds: 3,
      sustainedSeconds: 60,
      fill: 10_000_000,
      clients: [1, 8, 32],
      callers: [1, 16, 256, 1_024, 4_096],
      unaryCallers: 256,
    });
  });

  test("makes everything short with --quick, but for what is given", () => {
    const settings = readSettings(["--quick", "--seconds", "5", "--callers", "1,64"]);

    expect(settings).toMatchObject({ seconds: 5, callers: [1, 64], accounts: 10_000 });
    expect(settings.fill).toBeLessThan(1_000_000);
  });

  test("takes a server and runs parts in their own order, whatever order they are given in", () => {
    const settings = readSettings(["--only", "growth,unary", "--database-url", "postgres://x/y"]);

    expect(settings).toMatchObject({ only: ["unary", "growth"], databaseUrl: "postgres://x/y" });
  });

  test.each([
    [["--only", "inprocess"], /There is no inprocess/],
    [["--seconds", "0"], /whole number from 1/],
    [["--callers", "1,,3"], /whole number from 1/],
    [["--parcel", "8001"], /at most 8,000/],
    [["--accounts", "1"], /two accounts/],
    [["--fast"], /unknown option '--fast'/],
    [["everything"], /too many arguments/],
  ])("refuses %j", (parameters, message) => {
    expect(() => readSettings(parameters, () => {})).toThrow(CommanderError);
    expect(() => readSettings(parameters, () => {})).toThrow(message);
  });
});
