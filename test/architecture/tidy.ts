import { basename } from "node:path";
import { type Node, nameOf, nodesOf, parse, type Source } from "./syntax.ts";
import { type Fault, isTest, type TextFile } from "./tree.ts";

/** A rule that each TypeScript file keeps by itself. */
export interface Rule {
  /** What is so when the rule is kept, in the present tense. */
  readonly title: string;
  readonly faults: (source: Source) => readonly Fault[];
  /** Files that break it. */
  readonly broken: readonly TextFile[];
  /** Files that keep it, where that is not plain. */
  readonly kept?: readonly TextFile[];
}

const LINES_MAX = 300;
const TEST_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const LINE_LENGTH_MAX = 120;
const HOUR_MS = 3_600_000;
/** As in vitest.config.ts. */
const PATIENCE_MS = 60_000;

/** The rules of size, syntax and layering. */
export const rules: readonly Rule[] = [
  {
    title: `a file has at most ${LINES_MAX} lines, a test ${TEST_LINES_MAX}`,
    faults: (source) => {
      const lines = source.text.trimEnd().split("\n").length;
      const most = isTest(source.path) ? TEST_LINES_MAX : LINES_MAX;
      return lines > most ? [whole(source, `has ${lines} lines, at most ${most} are allowed`)] : [];
    },
    broken: [
      { path: "libs/a/src/bid.ts", text: "\n".repeat(LINES_MAX).concat("f();\n") },
      { path: "libs/a/test/bid.test.ts", text: "\n".repeat(TEST_LINES_MAX).concat("f();\n") },
    ],
    kept: [{ path: "libs/a/test/bid.test.ts", text: "\n".repeat(LINES_MAX).concat("f();\n") }],
  },
  {
    title: `a function has at most ${FUNCTION_LINES_MAX} lines of its own`,
    faults: (source) =>
      isTest(source.path)
        ? []
        : source.nodes.filter(isFunction).flatMap((node) => {
            const lines = ownLines(source, node);
            return lines > FUNCTION_LINES_MAX ? [at(source, node, `has ${lines} lines`)] : [];
          }),
    broken: [
      { path: "libs/a/src/bid.ts", text: `function f() {${"\n".repeat(FUNCTION_LINES_MAX)}}` },
      { path: "libs/a/src/bid.ts", text: `const f = () => {${"\n".repeat(FUNCTION_LINES_MAX)}};` },
      {
        path: "libs/a/src/bid.ts",
        text: `function f() { return { g() {${"\n".repeat(FUNCTION_LINES_MAX)}} }; }`,
      },
    ],
    kept: [
      {
        path: "libs/a/src/bid.ts",
        text: `function f() { return { ${`g() {${"\n".repeat(40)}},\n`.repeat(3)} }; }`,
      },
    ],
  },
  {
    title: `a line has at most ${LINE_LENGTH_MAX} characters`,
    faults: (source) =>
      source.text
        .split("\n")
        .flatMap((text, index) =>
          text.length > LINE_LENGTH_MAX
            ? [{ path: source.path, line: index + 1, problem: `has ${text.length} characters` }]
            : [],
        ),
    broken: [{ path: "libs/a/src/bid.ts", text: `// ${"a".repeat(LINE_LENGTH_MAX)}` }],
  },
  {
    title: "types are erasable: no enum, namespace, parameter property, decorator or import =",
    faults: nodesOfType({
      TSEnumDeclaration: "declares an enum: use a union of strings",
      TSModuleDeclaration: "declares a namespace or augments a module",
      TSParameterProperty: "declares a parameter property",
      Decorator: "has a decorator",
      TSImportEqualsDeclaration: "has import =",
      TSExportAssignment: "has export =",
    }),
    broken: [
      { path: "libs/a/src/bid.ts", text: "enum State { Open }" },
      { path: "libs/a/src/bid.ts", text: "namespace Bids { export const a = 1; }" },
      { path: "libs/a/src/bid.ts", text: "class A { constructor(private readonly b: string) {} }" },
      { path: "libs/a/src/bid.ts", text: "@sealed class A {}" },
    ],
  },
  {
    title: "exports have names: no default export outside a tool's configuration",
    faults: (source) =>
      source.path.endsWith(".config.ts")
        ? []
        : [
            ...nodesOfType({ ExportDefaultDeclaration: "exports a default" })(source),
            ...source.nodes
              .filter((n) => n.type === "ExportSpecifier" && nameOf(n["exported"]) === "default")
              .map((node) => at(source, node, "exports a default")),
          ],
    broken: [
      { path: "libs/a/src/bid.ts", text: "export default function f() {}" },
      { path: "libs/a/src/bid.ts", text: "const f = 1; export { f as default };" },
    ],
    kept: [{ path: "vitest.config.ts", text: "export default {};" }],
  },
  {
    title: "a surface is listed: no export *",
    faults: nodesOfType({ ExportAllDeclaration: "exports everything of another file" }),
    broken: [
      { path: "libs/a/src/index.ts", text: 'export * from "./bid.ts";' },
      { path: "libs/a/src/index.ts", text: 'export * as bids from "./bid.ts";' },
    ],
  },
  {
    title: "pg is imported only by libs/postgres, postgres*.ts, src/postgres/, main.ts and tests",
    faults: importsOnlyIn(/^pg(\/|$)/, (path) =>
      /^libs\/postgres\/|\/src\/postgres\/|\/postgres[^/]*\.ts$|\/main\.ts$/.test(path),
    ),
    broken: [{ path: "services/a/src/service.ts", text: 'import type { Pool } from "pg";' }],
    kept: [{ path: "services/a/src/postgres-bids.ts", text: 'import type { Pool } from "pg";' }],
  },
  {
    title: "ioredis is imported only by redis*.ts, src/redis/, main.ts and tests",
    faults: importsOnlyIn(/^ioredis(\/|$)/, (path) =>
      /\/src\/redis\/|\/redis[^/]*\.ts$|\/main\.ts$/.test(path),
    ),
    broken: [{ path: "services/a/src/service.ts", text: 'import { Redis } from "ioredis";' }],
    kept: [{ path: "services/a/src/redis.ts", text: 'import { Redis } from "ioredis";' }],
  },
  {
    title: "the environment is read only by config.ts, main.ts, the command and tests",
    faults: namesOnlyIn("process.env", (path) =>
      /^libs\/cli\/|^deploy\/|\/(config|main)\.ts$|\.config\.ts$/.test(`/${path}`.slice(1)),
    ),
    broken: [{ path: "libs/a/src/bid.ts", text: 'const home = process.env["HOME"];' }],
    kept: [
      { path: "services/a/src/config.ts", text: 'const home = process.env["HOME"];' },
      { path: "vitest.config.ts", text: 'const home = process.env["HOME"];' },
    ],
  },
  {
    title: "only the command writes to the console",
    faults: (source) =>
      source.path.startsWith("libs/cli/")
        ? []
        : source.nodes
            .filter((n) => n.type === "MemberExpression" && nameOf(n["object"]) === "console")
            .map((node) => at(source, node, "writes to the console")),
    broken: [{ path: "libs/a/src/bid.ts", text: 'console.log("bid");' }],
  },
  {
    title: "tests replace no module of ours: no vi.mock",
    faults: (source) =>
      source.nodes
        .filter((n) => n.type === "CallExpression")
        .filter((n) => /^vi\.(mock|doMock|hoisted)$/.test(nameOf(n["callee"]) ?? ""))
        .map((node) => at(source, node, `calls ${nameOf(node["callee"])}`)),
    broken: [{ path: "libs/a/test/bid.test.ts", text: 'vi.mock("../src/bid.ts");' }],
  },
  {
    title: "tests wait for what they expect and never sleep",
    faults: (source) => (isTest(source.path) ? sleeps(source) : []),
    broken: [
      {
        path: "libs/a/test/bid.test.ts",
        text: 'import { setTimeout as nap } from "node:timers/promises"; await nap(50);',
      },
      {
        path: "libs/a/test/bid.test.ts",
        text: "await new Promise((resolve) => setTimeout(resolve, 50));",
      },
    ],
    kept: [
      { path: "libs/a/test/bid.test.ts", text: "await expect.poll(() => bids()).toBe(1);" },
      { path: "libs/a/test/bid.test.ts", text: "await Promise.race([first, never]);" },
      {
        path: "libs/a/test/stuck.ts",
        text: 'import { setTimeout as nap } from "node:timers/promises"; await nap(3_600_000);',
      },
    ],
  },
  {
    title: "tests have the patience of vitest.config.ts: no wait gives up sooner",
    faults: (source) =>
      isTest(source.path)
        ? source.nodes
            .filter((n) => n.type === "Property" && nameOf(n["key"]) === "timeout")
            .filter((n) => Number((n["value"] as Node)["value"]) < PATIENCE_MS)
            .map((node) => at(source, node, "gives up sooner than the house does"))
        : [],
    broken: [
      {
        path: "libs/a/test/bid.test.ts",
        text: "await expect.poll(bids, { timeout: 5_000 }).toBe(1);",
      },
      { path: "libs/a/test/bid-suite.ts", text: "const SOON = { timeout: 3_000, interval: 20 };" },
    ],
    kept: [
      { path: "libs/a/test/bid.test.ts", text: "vi.waitFor(bid, { timeout: 90_000 });" },
      { path: "libs/a/test/bid.test.ts", text: "const slot = { timeout: { seconds: 5n } };" },
      { path: "libs/a/test/bid.test.ts", text: "const select = (timeout = 5) => ({ timeout });" },
    ],
  },
  {
    title: "a comment leaves no work behind: no bare TODO, FIXME, XXX or HACK",
    faults: (source) =>
      source.comments
        .filter((comment) => UNFINISHED.test(comment.text))
        .map(({ line }) => ({ path: source.path, line, problem: "leaves work behind" })),
    broken: [
      { path: "libs/a/src/bid.ts", text: "// TODO later" },
      { path: "libs/a/src/bid.ts", text: "/* FIXME: breaks */" },
    ],
  },
];

/** Words by which people mark what they have not done. */
export const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b/;

/** Runs a rule over one file. */
export function check(rule: Rule, file: TextFile): readonly Fault[] {
  return rule.faults(parse(file));
}

const FORBIDDEN_NAME =
  /^(utils?|helpers?|common|types?|manager|misc|shared)$|-(utils?|helpers?|manager)$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** Finds folders and files whose names are not kebab-case nouns. */
export function nameFaults(path: string): readonly Fault[] {
  const stem = basename(path).replace(/(\.(test|config|tmp))?\.[a-z]+$/, "");
  const folders = path.split("/").slice(0, -1);
  return [...folders, stem]
    .filter((name) => !KEBAB.test(name) || FORBIDDEN_NAME.test(name))
    .map((name) => ({ path, line: 0, problem: `"${name}" is no kebab-case noun` }));
}

function isFunction(node: Node): boolean {
  return /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
}

/** The lines of a function without those inside the functions that it makes. */
function ownLines(source: Source, node: Node): number {
  const lines = (one: Node) => source.lineOf(one.end) - source.lineOf(one.start) + 1;
  const within = nodesOf(Object.values(node)).filter(isFunction);
  const direct = within.filter(
    (one) => !within.some((other) => other !== one && contains(other, one)),
  );
  return direct.reduce((rest, one) => rest - (lines(one) - 1), lines(node));
}

function contains(outer: Node, inner: Node): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function at(source: Source, node: Node, problem: string): Fault {
  return { path: source.path, line: source.lineOf(node.start), problem };
}

function whole(source: Source, problem: string): Fault {
  return { path: source.path, line: 0, problem };
}

function nodesOfType(problems: Readonly<Record<string, string>>): Rule["faults"] {
  return (source) =>
    source.nodes.flatMap((node) => {
      const problem = problems[node.type];
      return problem === undefined ? [] : [at(source, node, problem)];
    });
}

function importsOnlyIn(pattern: RegExp, allowed: (path: string) => boolean): Rule["faults"] {
  return (source) =>
    isTest(source.path) || allowed(source.path)
      ? []
      : source.imports
          .filter(({ specifier }) => pattern.test(specifier))
          .map(({ specifier, line }) => ({
            path: source.path,
            line,
            problem: `imports ${specifier}`,
          }));
}

function namesOnlyIn(name: string, allowed: (path: string) => boolean): Rule["faults"] {
  return (source) =>
    isTest(source.path) || allowed(source.path)
      ? []
      : source.nodes
          .filter((node) => node.type === "MemberExpression" && nameOf(node) === name)
          .map((node) => at(source, node, `reads ${name}`));
}

/** Awaited timers whose end is all that is waited for. */
function sleeps(source: Source): readonly Fault[] {
  const timers = timerNames(source);
  return source.nodes
    .filter((node) => node.type === "ExpressionStatement")
    .map((node) => node["expression"] as Node)
    .filter((node) => node.type === "AwaitExpression")
    .filter((node) => isTimer(node["argument"] as Node, timers) && !isForEver(node))
    .map((node) => at(source, node, "sleeps"));
}

/** An hour or more stands for "it never comes back", which a test may want of somebody. */
function isForEver(node: Node): boolean {
  return nodesOf(node).some((below) => Number(below["value"]) >= HOUR_MS);
}

function timerNames(source: Source): ReadonlySet<string> {
  const specifiers = source.nodes
    .filter((n) => n.type === "ImportDeclaration")
    .filter((n) => (n["source"] as Node)["value"] === "node:timers/promises")
    .flatMap((n) => n["specifiers"] as readonly Node[]);
  return new Set(specifiers.flatMap((specifier) => nameOf(specifier["local"]) ?? []));
}

function isTimer(node: Node, timers: ReadonlySet<string>): boolean {
  if (node.type === "CallExpression") return timers.has(nameOf(node["callee"]) ?? "");
  if (node.type !== "NewExpression" || nameOf(node["callee"]) !== "Promise") return false;
  return nodesOf(node["arguments"]).some((n) => nameOf(n) === "setTimeout");
}
