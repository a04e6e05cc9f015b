import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../src/place.ts";
import { readResults } from "../src/suite/report.ts";

describe("the results of a part", () => {
  let results: string;

  beforeEach(() => {
    results = mkdtempSync(join(tmpdir(), "bourse-results-"));
    mkdirSync(join(results, "libs"));
  });

  afterEach(() => rmSync(results, { recursive: true }));

  test("name each failed test with its file and the first line of why", () => {
    report("one", {
      numPassedTests: 2,
      numPendingTests: 1,
      numTodoTests: 1,
      testResults: [
        file("libs/one/test/a.test.ts", "failed", [
          { status: "passed", fullName: "sums are right" },
          { status: "failed", fullName: "sums are zero", failureMessages: ["Error: 1\n  at x"] },
        ]),
      ],
    });
    report("two", { numPassedTests: 3, testResults: [] });

    expect(readResults(["libs"], results)).toEqual({
      passed: 5,
      skipped: 2,
      failures: ["libs/one/test/a.test.ts > sums are zero: Error: 1"],
    });
  });

  test("name a file that failed outside its tests", () => {
    const testResults = [file("libs/one/test/a.test.ts", "failed", [], "cannot load\nmore")];
    report("one", { testResults });

    expect(failures()).toEqual(["libs/one/test/a.test.ts: cannot load"]);
  });

  test("tell errors that no test caught", () => {
    writeFileSync(join(results, "libs/one.unhandled"), "libs/one, outside any test: late\n");

    expect(failures()).toEqual(["libs/one, outside any test: late"]);
  });

  test("are nothing where nothing was run", () => {
    expect(readResults(["services"], results)).toEqual({ passed: 0, skipped: 0, failures: [] });
  });

  function report(name: string, content: object): void {
    writeFileSync(join(results, "libs", `${name}.json`), JSON.stringify(content));
  }

  function file(
    path: string,
    status: string,
    assertionResults: readonly object[],
    message: string = "",
  ): object {
    return { name: join(ROOT, path), status, message, assertionResults };
  }

  function failures(): readonly string[] {
    return readResults(["libs"], results).failures;
  }
});
