import { describe, expect, test } from "vitest";
import { borderRules, type Manifest, type Package, readWorkspace } from "./borders.ts";
import { told } from "./tree.ts";

describe("the packages of this workspace", () => {
  const workspace = readWorkspace();

  test.each(borderRules)("$title", (rule) => {
    expect(told(rule.faults(workspace))).toEqual([]);
  });

  test("are all found", () => {
    const names = workspace.packages.map((one) => one.manifest.name);

    expect(names).toEqual(expect.arrayContaining(["@bourse/proto", "@bourse/rpc", "@bourse/test"]));
    expect(names).toEqual(expect.arrayContaining(["@bourse/ledger", "@bourse/discovery"]));
  });
});

describe("the check of borders", () => {
  const rpc = aPackage("libs/rpc", "lib", {}, { "src/index.ts": "" });

  test.each<[string, readonly Package[], string[]]>([
    [
      "an import that is not declared",
      [
        rpc,
        aPackage("services/ledger", "service", {}, { "src/a.ts": 'import "@bourse/rpc/page";' }),
      ],
      [
        "services/ledger/src/a.ts:1 imports @bourse/rpc/page, which services/ledger/package.json does not declare",
      ],
    ],
    [
      "an undeclared type",
      [aPackage("libs/rpc", "lib", {}, { "src/a.ts": 'type A = import("pg").Pool;' })],
      ["libs/rpc/src/a.ts:1 imports pg, which libs/rpc/package.json does not declare"],
    ],
    [
      "a tool of the root in a source",
      [aPackage("libs/rpc", "lib", {}, { "src/a.ts": 'await import("vitest");' })],
      ["libs/rpc/src/a.ts:1 imports vitest, which libs/rpc/package.json does not declare"],
    ],
    [
      "a built-in module without node:",
      [aPackage("libs/rpc", "lib", {}, { "src/a.ts": 'import "fs";' })],
      ["libs/rpc/src/a.ts:1 imports fs, which libs/rpc/package.json does not declare"],
    ],
    [
      "a service that depends on a service",
      [
        aPackage("services/ledger", "service"),
        aPackage(
          "services/auction",
          "service",
          { dependencies: { "@bourse/ledger": "0.1.0" } },
          { "src/a.ts": 'import "@bourse/ledger";' },
        ),
      ],
      ["services/auction/package.json: may not depend on @bourse/ledger"],
    ],
    [
      "a library that depends on a service",
      [
        aPackage("services/ledger", "service"),
        aPackage(
          "libs/roster",
          "lib",
          { devDependencies: { "@bourse/ledger": "0.1.0" } },
          { "test/a.ts": 'import "@bourse/ledger";' },
        ),
      ],
      ["libs/roster/package.json: may not depend on @bourse/ledger"],
    ],
    [
      "a relative import of another package",
      [
        rpc,
        aPackage("libs/a", "lib", {}, { "src/a.ts": 'export { b } from "../../rpc/src/b.ts";' }),
      ],
      ["libs/a/src/a.ts:1 imports ../../rpc/src/b.ts, outside libs/a"],
    ],
    [
      "a dependency that nothing imports",
      [rpc, aPackage("libs/a", "lib", { dependencies: { "@bourse/rpc": "0.1.0" } })],
      ["libs/a/package.json: declares @bourse/rpc but imports nothing of it"],
    ],
    [
      "a development dependency in a source",
      [
        aPackage(
          "libs/a",
          "lib",
          { devDependencies: { yaml: "2.9.1" } },
          { "src/a.ts": 'import "yaml";' },
        ),
      ],
      ["libs/a/src/a.ts:1 imports yaml, a development dependency"],
    ],
    [
      "a circle",
      [
        aPackage(
          "libs/a",
          "lib",
          { dependencies: { "@bourse/b": "0.1.0" } },
          { "src/a.ts": 'import "@bourse/b";' },
        ),
        aPackage(
          "libs/b",
          "lib",
          { dependencies: { "@bourse/a": "0.1.0" } },
          { "src/a.ts": 'import "@bourse/a";' },
        ),
      ],
      [
        "libs/a/package.json: depends on itself by way of others",
        "libs/b/package.json: depends on itself by way of others",
      ],
    ],
    [
      "a package of no type",
      [aPackage("libs/a", "plugin")],
      ["libs/a/package.json: has no tag type:proto, type:lib, type:service or type:test"],
    ],
    [
      "an export of nothing",
      [aPackage("libs/a", "lib", { exports: { ".": "./src/index.ts" } })],
      ["libs/a/package.json: exports libs/a/src/index.ts, which does not exist"],
    ],
  ])("finds %s, and nothing else", (_what, packages, faults) => {
    const workspace = { packages, rootTools: ["vitest"] };

    expect(told(borderRules.flatMap((rule) => rule.faults(workspace)))).toEqual(faults);
  });

  test("lets a test use the tools of the root and what its package declares", () => {
    const one = aPackage(
      "libs/a",
      "lib",
      { devDependencies: { yaml: "2.9.1" } },
      {
        "test/a.test.ts": 'import "vitest"; import "yaml"; import "node:fs"; import "../src/b.ts";',
      },
    );

    const workspace = { packages: [one], rootTools: ["vitest"] };

    expect(told(borderRules.flatMap((rule) => rule.faults(workspace)))).toEqual([]);
  });
});

function aPackage(
  folder: string,
  type: string,
  manifest: Omit<Manifest, "name" | "nx"> = {},
  files: Readonly<Record<string, string>> = {},
): Package {
  return {
    folder,
    manifest: {
      name: `@bourse/${folder.split("/").at(-1)}`,
      nx: { tags: [`type:${type}`] },
      ...manifest,
    },
    files: Object.entries(files).map(([path, text]) => ({ path: `${folder}/${path}`, text })),
  };
}
