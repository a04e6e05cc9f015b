import { type Node, nameOf, nodesOf, parse, stringOf } from "./syntax.ts";
import type { Fault, TextFile } from "./tree.ts";

/** What the comments of a contract say of one RPC. */
export interface DescribedRpc {
  readonly name: string;
  readonly line: number;
  readonly comment: string;
  /** The reasons that its comment promises, in order of precedence. */
  readonly reasons: readonly string[];
}

/** Reads the comments of the RPCs of a .proto file. */
export function describedRpcs(file: TextFile): readonly DescribedRpc[] {
  const lines = file.text.split("\n");
  return lines.flatMap((text, index) => {
    const [, name] = /^\s+rpc (\w+)\(/.exec(text) ?? [];
    if (name === undefined) return [];
    const comment = commentAbove(lines, index);
    return [{ name, line: index + 1, comment, reasons: reasonsIn(comment) }];
  });
}

/** Finds RPCs whose comment is missing, or speaks of refusals in another form than all others. */
export function commentFaults(file: TextFile): readonly Fault[] {
  return describedRpcs(file).flatMap(({ name, line, comment, reasons }) => {
    const fault = (problem: string) => [{ path: file.path, line, problem: `${name} ${problem}` }];
    if (comment === "") return fault("has no comment");
    const lists = [...comment.matchAll(/refuses with/gi)].length;
    if (lists > 1) return fault("lists its reasons twice");
    if (lists === 1 && !/Refuses with: [A-Z]/.test(comment)) {
      return fault('does not list its reasons as "Refuses with: REASON, ..."');
    }
    const twice = reasons.filter((reason, index) => reasons.indexOf(reason) !== index);
    return twice.length > 0 ? fault(`names ${twice.join()} twice`) : [];
  });
}

/** Every UPPER_SNAKE word in the comments of a .proto file that has an underscore, as reasons have. */
export function namedReasons(file: TextFile): ReadonlySet<string> {
  const comments = file.text.match(/\/\/.*/g) ?? [];
  return new Set(comments.join("\n").match(REASON) ?? []);
}

/** The reasons of a service's table: the keys of the objects in its rejections.ts whose values are codes. */
export function tableReasons(file: TextFile): readonly string[] {
  return parse(file)
    .nodes.filter((node) => node.type === "Property")
    .filter((node) => /^Code\./.test(nameOf(node["value"]) ?? ""))
    .flatMap((node) => nameOf(node["key"]) ?? stringOf(node["key"]) ?? []);
}

/** The reasons that a source refuses with by `new Rejection("REASON", ...)`. */
export function thrownReasons(file: TextFile): readonly { reason: string; line: number }[] {
  const source = parse(file);
  return source.nodes
    .filter((node) => node.type === "NewExpression" && nameOf(node["callee"]) === "Rejection")
    .flatMap((node) => {
      const [first] = node["arguments"] as readonly Node[];
      return nodesOf(first)
        .flatMap((below) => stringOf(below) ?? [])
        .map((reason) => ({ reason, line: source.lineOf(node.start) }));
    });
}

const REASON = /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g;

function commentAbove(lines: readonly string[], index: number): string {
  const comment: string[] = [];
  for (let above = index - 1; /^\s*\/\//.test(lines[above] ?? ""); above -= 1) {
    comment.unshift((lines[above] ?? "").trim().replace(/^\/\/ ?/, ""));
  }
  return comment.join("\n");
}

/** The reasons after "Refuses with:", up to the end of that sentence; what stands in brackets explains them. */
function reasonsIn(comment: string): readonly string[] {
  const [, list = ""] = /Refuses with:([\s\S]*)/.exec(comment) ?? [];
  const [sentence = ""] = list.replace(/\([^)]*\)/g, "").split(/\.(?:\s|$)/);
  return sentence.match(REASON) ?? [];
}
