import { type AgentRecord, AgentRecordSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { parse } from "yaml";
import { Failure, messageOf } from "../failure.ts";
import { agentNotation, recordOf } from "./notation.ts";

/** One agent of a file, or what is wrong with it, and the line where it begins, from 1. */
export type ReadAgent = { readonly line: number } & (
  | { readonly record: AgentRecord }
  | { readonly faults: readonly string[] }
);

/** How a file is read. */
export const READERS = { jsonl: readJsonLines, yaml: readYaml };

/** An agent takes no more than this, so that no file can fill the memory. */
const CHARACTERS_MAX = 1024 * 1024;

/** Reads agents from lines of JSON, as an export writes them; empty lines are left out. */
export async function* readJsonLines(lines: AsyncIterable<string>): AsyncGenerator<ReadAgent> {
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === "") continue;
    yield { line, ...attempt(() => fromJson(AgentRecordSchema, JSON.parse(text) as JsonValue)) };
  }
}

/**
 * Reads agents from the YAML of their authors, one after the other: what stands at the dash of a list begins an item,
 * since all that belongs to an item stands deeper. `bid` and `earlier`, which are for the demo, are left out.
 */
export async function* readYaml(lines: AsyncIterable<string>): AsyncGenerator<ReadAgent> {
  let line = 0;
  let item:
    | { readonly line: number; readonly indent: string; readonly lines: string[] }
    | undefined;
  let size = 0;
  for await (const text of lines) {
    line++;
    size += text.length;
    if (size > CHARACTERS_MAX) throw new Failure(`line ${line}: an agent has more than a megabyte`);
    const [, indent = ""] = /^( *)- /.exec(text) ?? [];
    const begins = /^ *- /.test(text) && (item === undefined || item.indent === indent);
    if (begins) {
      if (item !== undefined) yield { line: item.line, ...attempt(() => readItem(item?.lines)) };
      item = { line, indent, lines: [text] };
      size = text.length;
    } else if (item !== undefined) {
      item.lines.push(text);
    } else if (!/^(agents:|---)? *(#.*)?$/.test(text)) {
      throw new Failure(`line ${line}: write agents as a list below "agents:", each at a dash`);
    }
  }
  if (item !== undefined) yield { line: item.line, ...attempt(() => readItem(item.lines)) };
}

function readItem(lines: readonly string[] = []): AgentRecord {
  const [content] = parse(lines.join("\n")) as [Record<string, unknown>];
  const { bid: _bid, earlier: _earlier, ...agent } = content;
  const result = agentNotation.safeParse(agent);
  if (result.success) return create(AgentRecordSchema, recordOf(result.data));
  throw new Faults(
    result.error.issues.map(({ path, message }) => `${path.join(".") || "the agent"}: ${message}`),
  );
}

class Faults extends Error {
  override readonly name = "Faults";
  readonly all: readonly string[];

  constructor(all: readonly string[]) {
    super(all.join("; "));
    this.all = all;
  }
}

function attempt(read: () => AgentRecord): { record: AgentRecord } | { faults: readonly string[] } {
  try {
    return { record: read() };
  } catch (error) {
    return { faults: error instanceof Faults ? error.all : [messageOf(error)] };
  }
}

/** The lines of a text that comes in pieces, none longer than an agent may be. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = `${rest}${piece}`.split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) yield text.endsWith("\r") ? text.slice(0, -1) : text;
    if (rest.length > CHARACTERS_MAX) throw new Failure("a line has more than a megabyte");
  }
  if (rest !== "") yield rest;
}
