import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** The root of the checkout. */
export const root = join(import.meta.dirname, "../..");

/** What a rule finds wrong, and where. */
export interface Fault {
  /** Path from the root of the checkout, with `/`. */
  readonly path: string;
  /** Counted from 1; 0 concerns the whole file. */
  readonly line: number;
  readonly problem: string;
}

/** A file of the checkout, or a made-up one that a rule is tried on. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** One line per fault, so that an expectation of no faults fails with a list to work from. */
export function told(faults: readonly Fault[]): readonly string[] {
  return faults.map(({ path, line, problem }) =>
    line === 0 ? `${path}: ${problem}` : `${path}:${line} ${problem}`,
  );
}

/** The paths of all files that belong to the checkout, sorted; what .gitignore names is left out. */
export function allPaths(): readonly string[] {
  const ignored = ignoredNames(readFileSync(join(root, ".gitignore"), "utf8"));
  return pathsBelow("", ignored).sort();
}

/** The texts of the files whose path matches. */
export function readFiles(matching: (path: string) => boolean): readonly TextFile[] {
  return allPaths().filter(matching).map(readText);
}

/** Reads one file by its path from the root. */
export function readText(path: string): TextFile {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

/** True for a TypeScript file that people wrote. */
export function isTypeScript(path: string): boolean {
  return path.endsWith(".ts") && !path.startsWith("proto/gen/");
}

/** True for a test and for what only tests import. */
export function isTest(path: string): boolean {
  return /(^|\/)test\//.test(path) || /(^|[/.-])(test|testing)\.ts$/.test(path);
}

/** Tests each line of a text, and returns a fault for each that the pattern matches. */
export function linesMatching(file: TextFile, pattern: RegExp, problem: string): readonly Fault[] {
  return file.text
    .split("\n")
    .flatMap((text, index) =>
      pattern.test(text) ? [{ path: file.path, line: index + 1, problem }] : [],
    );
}

function pathsBelow(folder: string, ignored: (name: string) => boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (ignored(basename(path))) return [];
    if (entry.isDirectory()) return pathsBelow(path, ignored);
    return entry.isFile() ? [path] : [];
  });
}

function ignoredNames(gitignore: string): (name: string) => boolean {
  const patterns = gitignore
    .split("\n")
    .map((line) => line.trim().replace(/\/$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
  const names = new Set([".git", ...patterns.filter((pattern) => !pattern.includes("*"))]);
  const endings = patterns.filter((pattern) => pattern.startsWith("*")).map((p) => p.slice(1));
  return (name) => names.has(name) || endings.some((ending) => name.endsWith(ending));
}
