import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const HERE = new URL("./", import.meta.url);
const STORIES = new URL("../../../test/", import.meta.url);

/** The file and the title of each test that the README names. */
function namedTests(): readonly [string, string][] {
  const rows = readFileSync(new URL("README.md", HERE), "utf8").matchAll(
    /^\|[^|]+\| `([^`]+\.test\.ts)`: (.+?) *\|$/gm,
  );
  return [...rows].map(([, file = "", title = ""]) => [file, title]);
}

test.each(namedTests())("the README names a test of %s that is there: %s", (file, title) => {
  const folder = file.startsWith("stories/") ? STORIES : HERE;

  expect(readFileSync(new URL(file, folder), "utf8")).toContain(`"${title}"`);
});
