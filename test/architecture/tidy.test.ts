import { describe, expect, test } from "vitest";
import { check, nameFaults, rules, UNFINISHED } from "./tidy.ts";
import { allPaths, isTypeScript, linesMatching, readFiles, told } from "./tree.ts";

const files = readFiles(isTypeScript);

describe("a TypeScript file", () => {
  test.each(rules)("$title", (rule) => {
    expect(told(files.flatMap((file) => check(rule, file)))).toEqual([]);
  });
});

describe("the check of TypeScript files", () => {
  const cases = (of: "broken" | "kept") =>
    rules.flatMap((rule) => (rule[of] ?? []).map((file, index) => ({ rule, file, index })));

  test.each(cases("broken"))("finds a breach of: $rule.title ($index)", ({ rule, file }) => {
    expect(check(rule, file)).not.toEqual([]);
  });

  test.each(cases("kept"))("finds nothing where this is kept: $rule.title ($index)", (kept) => {
    expect(check(kept.rule, kept.file)).toEqual([]);
  });
});

describe("names", () => {
  test("of folders and sources are kebab-case nouns that say more than utils", () => {
    const paths = allPaths().filter((path) => isTypeScript(path) || path.endsWith(".lua"));

    expect(told(paths.flatMap(nameFaults))).toEqual([]);
  });

  test("of migrations are a number and a noun", () => {
    const paths = allPaths().filter((path) => path.endsWith(".sql"));

    expect(paths.filter((path) => !/\/\d{4}_[a-z0-9]+(_[a-z0-9]+)*\.sql$/.test(path))).toEqual([]);
  });

  test.each([
    "libs/a/src/bidBook.ts",
    "libs/a/src/utils.ts",
    "libs/a/src/bid-helpers.ts",
    "libs/a/src/types.ts",
    "libs/a/src/manager.ts",
    "libs/common/src/bid.ts",
    "libs/a/src/bid_book.test.ts",
  ])("such as %s are found", (path) => {
    expect(nameFaults(path)).not.toEqual([]);
  });
});

describe("what is not TypeScript", () => {
  const others = readFiles((path) => /\.(sql|lua|proto|ya?ml|md)$/.test(path)).filter(
    ({ path }) => !/^proto\/(buf|google|grpc)\//.test(path),
  );

  test("leaves no work behind: no bare TODO, FIXME, XXX or HACK", () => {
    const faults = others.flatMap((file) => linesMatching(file, UNFINISHED, "leaves work behind"));

    expect(told(faults)).toEqual([]);
  });

  test("has lines of at most 120 characters, prose aside", () => {
    const code = others.filter(({ path }) => /\.(sql|lua|proto)$/.test(path));

    expect(told(code.flatMap((file) => linesMatching(file, /.{121}/, "is too long")))).toEqual([]);
  });
});
