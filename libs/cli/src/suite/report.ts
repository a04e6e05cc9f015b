import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "../place.ts";

/** Where each run leaves two reports: vitest's own as JSON, and one of errors outside any test, a line each. */
export const RESULTS = join(ROOT, ".results");

/** What the reports below some folders tell together. */
export interface Results {
  readonly passed: number;
  readonly skipped: number;
  /** What failed, for people: the file, the test, and the first line of why. */
  readonly failures: readonly string[];
}

interface Report {
  readonly numPassedTests?: number;
  readonly numPendingTests?: number;
  readonly numTodoTests?: number;
  readonly testResults?: readonly FileReport[];
}

interface FileReport {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly failureMessages?: readonly string[] | null;
  }[];
}

/** Adds up the reports of `results` below the folders named; a folder without any tells nothing. */
export function readResults(folders: readonly string[], results: string = RESULTS): Results {
  const texts = (ending: string) =>
    folders.flatMap((folder) => textsOf(join(results, folder), ending));
  const reports = texts(".json").map((text) => JSON.parse(text) as Report);
  const total = (count: (report: Report) => number) =>
    reports.reduce((sum, report) => sum + count(report), 0);
  return {
    passed: total(({ numPassedTests = 0 }) => numPassedTests),
    skipped: total(({ numPendingTests = 0, numTodoTests = 0 }) => numPendingTests + numTodoTests),
    failures: [
      ...reports.flatMap(({ testResults = [] }) => testResults.flatMap(failuresOf)),
      ...texts(".unhandled").flatMap((text) => text.split("\n").filter((line) => line !== "")),
    ],
  };
}

/** The failed tests of a file; of one that failed outside its tests, as while it was loaded, the file. */
function failuresOf({ name, status, message, assertionResults }: FileReport): string[] {
  const file = relative(ROOT, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0) return status === "failed" ? [told(file, "", message)] : [];
  return failed.map((test) => told(file, ` > ${test.fullName}`, test.failureMessages?.[0] ?? ""));
}

function told(file: string, test: string, why: string): string {
  const [reason = ""] = why.trim().split("\n");
  return `${file}${test}: ${reason}`;
}

function textsOf(folder: string, ending: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(ending));
    return names.map((name) => readFileSync(join(folder, name), "utf8"));
  } catch {
    return [];
  }
}
