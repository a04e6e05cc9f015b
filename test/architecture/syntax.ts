import { parseSync } from "vite";
import type { TextFile } from "./tree.ts";

/** A node of the syntax tree of a TypeScript file (ESTree with TypeScript's additions). */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

/** What a file imports or re-exports. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A TypeScript file and its meaning. */
export interface Source extends TextFile {
  /** Every node, parents before children. */
  readonly nodes: readonly Node[];
  readonly comments: readonly { readonly text: string; readonly line: number }[];
  readonly imports: readonly Import[];
  lineOf(offset: number): number;
}

const parsed = new Map<string, Source>();

/** Parses a TypeScript file; throws when it is no TypeScript. */
export function parse(file: TextFile): Source {
  const key = `${file.path}\n${file.text}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const { program, comments, errors } = parseSync(file.path, file.text, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${file.path}: ${errors[0]?.message}`);
  const lineOf = lineFinder(file.text);
  const nodes = nodesOf(program);
  const source = {
    ...file,
    nodes,
    comments: comments.map(({ value, start }) => ({ text: value, line: lineOf(start) })),
    imports: nodes.flatMap((node) => {
      const specifier = specifierOf(node);
      return specifier === undefined ? [] : [{ specifier, line: lineOf(node.start) }];
    }),
    lineOf,
  };
  parsed.set(key, source);
  return source;
}

/** The dotted name of an expression: `vi.mock`, `process.env`; undefined when it is no plain name. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Identifier") return String(node["name"]);
  if (node.type !== "MemberExpression" || node["computed"] === true) return undefined;
  const object = nameOf(node["object"]);
  const property = nameOf(node["property"]);
  return object === undefined || property === undefined ? undefined : `${object}.${property}`;
}

/** The value of a string literal; undefined for anything else. */
export function stringOf(node: unknown): string | undefined {
  if (!isNode(node) || node.type !== "Literal") return undefined;
  return typeof node["value"] === "string" ? node["value"] : undefined;
}

/** Every node below a value, parents before children. */
export function nodesOf(value: unknown): readonly Node[] {
  const found: Node[] = [];
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (Array.isArray(next)) {
      for (let index = next.length - 1; index >= 0; index -= 1) waiting.push(next[index]);
    } else if (typeof next === "object" && next !== null) {
      if (isNode(next)) found.push(next);
      waiting.push(Object.values(next));
    }
  }
  return found;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

const IMPORTING: ReadonlySet<string> = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

function specifierOf(node: Node): string | undefined {
  return IMPORTING.has(node.type) ? stringOf(node["source"]) : undefined;
}

function lineFinder(text: string): (offset: number) => number {
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index);
  return (offset) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}
