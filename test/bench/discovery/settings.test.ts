import { CommanderError } from "commander";
import { describe, expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const quiet = () => {};

describe("the settings of the bench of discovery", () => {
  test("are those of the bars unless told otherwise", () => {
    expect(readSettings([])).toMatchObject({
      agents: [1_000, 10_000, 100_000, 1_000_000],
      only: ["register", "select", "search", "anew", "ready", "etcd"],
      changes: 1_000,
      plot: undefined,
    });
  });

  test("are smaller when it has to be quick, unless a number is given", () => {
    const quick = readSettings(["--quick", "--seconds", "3"]);

    expect(Math.max(...quick.agents)).toBeLessThan(100_000);
    expect(quick.seconds).toBe(3);
  });

  test("let the market grow only", () => {
    expect(readSettings(["--agents", "500,100,500"]).agents).toEqual([100, 500]);
  });

  test.each([["--agents", "0"], ["--only", "sleep"], ["--seconds", "x"], ["--what"], ["more"]])(
    "are refused: %s %s",
    (...parameters) => {
      expect(() => readSettings(parameters, quiet)).toThrow(CommanderError);
    },
  );
});
