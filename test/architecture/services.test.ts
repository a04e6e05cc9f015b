import { describe, expect, test } from "vitest";
import { allPaths, readText } from "./tree.ts";

const paths = new Set(allPaths());
const services = foldersOf("services");

const MAIN_LINES_MAX = 60;

/** A reader who knows one service knows them all. */
describe.each(services)("services/%s", (service) => {
  test.each(["README.md", "package.json", "tsconfig.json", "src/main.ts", "src/config.ts"])(
    "has %s",
    (file) => {
      expect(paths).toContain(`services/${service}/${file}`);
    },
  );

  test("has its handlers in service.ts, or in a file <noun>-service.ts for each contract", () => {
    const handlers = below(`services/${service}/src`).filter((path) =>
      /\/([a-z-]+-)?service\.ts$/.test(path),
    );

    expect(handlers).not.toEqual([]);
  });

  test("has one table of reasons and their codes in rejections.ts", () => {
    expect(paths).toContain(`services/${service}/src/rejections.ts`);
  });

  test(`is put together in a main.ts of at most ${MAIN_LINES_MAX} lines`, () => {
    const path = `services/${service}/src/main.ts`;
    const lines = paths.has(path) ? readText(path).text.trimEnd().split("\n").length : 0;

    expect(lines).toBeLessThanOrEqual(MAIN_LINES_MAX);
  });

  test("exports nothing: others call it through its contract", () => {
    const manifest = JSON.parse(readText(`services/${service}/package.json`).text) as object;

    expect(manifest).not.toHaveProperty("exports");
    expect(manifest).not.toHaveProperty("main");
  });

  test("has tests", () => {
    expect(below(`services/${service}/test`).some((path) => path.endsWith(".test.ts"))).toBe(true);
  });
});

describe.each(foldersOf("libs"))("libs/%s", (lib) => {
  test.each(["README.md", "package.json", "tsconfig.json"])("has %s", (file) => {
    expect(paths).toContain(`libs/${lib}/${file}`);
  });

  test("has tests", () => {
    expect(below(`libs/${lib}`).some((path) => path.endsWith(".test.ts"))).toBe(true);
  });
});

describe("the check of folders", () => {
  test("sees the four services and the libraries", () => {
    expect(services).toEqual(
      expect.arrayContaining(["auction", "discovery", "ledger", "registry"]),
    );
    expect(foldersOf("libs")).toEqual(expect.arrayContaining(["rpc", "scoring"]));
  });
});

function foldersOf(parent: string): readonly string[] {
  const folders = below(parent).map((path) => path.split("/")[1] ?? "");
  return [...new Set(folders)].filter((folder) => paths.has(`${parent}/${folder}/package.json`));
}

function below(folder: string): readonly string[] {
  return [...paths].filter((path) => path.startsWith(`${folder}/`));
}
