import { readFileSync } from "node:fs";

const LINES = 3;

/** The last lines of a log, each indented on a line of its own; empty when there are none. */
export function lastWords(file: string): string {
  const lines = readLog(file).trimEnd().split("\n").slice(-LINES);
  return lines
    .filter(Boolean)
    .map((line) => `\n  ${line}`)
    .join("");
}

function readLog(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
