import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { linkFaults, placeFaults, type Target } from "./documents.ts";
import { readFiles, root, told } from "./tree.ts";

const TEXT =
  /\.(ts|js|mjs|json|md|sql|lua|proto|ya?ml|sh|toml|html|css|py|go)$|\/(run|Dockerfile)$|^bourse$/;

describe("documents", () => {
  test("have relative links that lead to something", () => {
    const documents = readFiles((path) => path.endsWith(".md"));

    expect(told(documents.flatMap((file) => linkFaults(file, targetAt)))).toEqual([]);
  });

  test("and all other texts name no place that only their author has", () => {
    const texts = readFiles((path) => TEXT.test(path) && path !== "package-lock.json");

    expect(told(texts.flatMap(placeFaults))).toEqual([]);
  });
});

describe("the check of documents", () => {
  test.each([
    ["[x](missing.md)", "missing.md leads nowhere"],
    ["![x](../up.png)", "../up.png leads nowhere"],
    ["[x]: missing.md", "missing.md leads nowhere"],
    ["[x](#gone)", "#gone names no heading"],
    ["[x](there.md#gone)", "there.md#gone names no heading"],
  ])("finds %s", (text, problem) => {
    const targets: Record<string, Target> = { "a/there.md": { text: "# Here" } };

    const faults = linkFaults({ path: "a/README.md", text }, (path) => targets[path]);

    expect(faults).toEqual([{ path: "a/README.md", line: 1, problem }]);
  });

  test.each([
    "[x](there.md)",
    "[x](there.md#here-we-are)",
    "[x](https://example.org/missing.md)",
    "`[x](missing.md)`",
    "```\n[x](missing.md)\n```",
  ])("finds nothing in %j", (text) => {
    const there = { text: "## Here `we` are\n" };

    const faults = linkFaults({ path: "README.md", text }, (path) =>
      path === "there.md" ? there : undefined,
    );

    expect(faults).toEqual([]);
  });

  test.each([
    ["..", "shared/DESIGN.md"].join("/"),
    ["see ", "work/main/libs"].join("/"),
    ['cd "', 'root/x"'].join("/"),
    ["seed", "inventory"].join("-"),
    `as issue ${2} says`,
  ])("finds the place in %j", (text) => {
    expect(placeFaults({ path: "README.md", text })).not.toEqual([]);
  });
});

function targetAt(path: string): Target {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return undefined;
  return statSync(absolute).isDirectory() ? "folder" : { text: readFileSync(absolute, "utf8") };
}
