import { type AgentRecord, AgentRecordSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { parse } from "yaml";
import { Failure, messageOf } from "../failure.ts";
import { BESIDE_AGENTS, type LeftOut, OF_AGENT } from "./left-out.ts";
import { agentNotation, recordOf } from "./notation.ts";
import { CHARACTERS_MAX, type Part, partsOf } from "./yaml-parts.ts";

/** One agent of a file, or what is wrong with it, and the line where it begins, from 1. */
export type ReadAgent = { readonly line: number } & (
  | { readonly record: AgentRecord }
  | { readonly faults: readonly string[] }
);

/** How a file is read. */
export const READERS = { jsonl: readJsonLines, yaml: readYaml };

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
 * Reads agents from the YAML of their authors, one after the other: as a list, alone or below "agents:", or one in a
 * document of its own. What is no part of a registration is left out and counted.
 * @throws Failure when the file is neither
 */
export async function* readYaml(
  lines: AsyncIterable<string>,
  leftOut: LeftOut,
): AsyncGenerator<ReadAgent> {
  for await (const part of partsOf(lines)) {
    if (part.kind === "beside") leaveBeside(part, leftOut);
    else yield { line: part.line, ...attempt(() => readAgent(part, leftOut)) };
  }
}

function readAgent({ kind, line, text }: Part, leftOut: LeftOut): AgentRecord {
  const content: unknown = parse(text);
  const written = kind === "item" ? (content as readonly unknown[])[0] : content;
  if (kind === "document" && !(isMapping(written) && "agent_id" in written)) throw noAgents(line);
  const result = agentNotation.safeParse(
    isMapping(written) ? without(written, OF_AGENT, leftOut) : written,
  );
  if (result.success) return create(AgentRecordSchema, recordOf(result.data));
  throw new Faults(
    result.error.issues.map(({ path, message }) => `${path.join(".") || "the agent"}: ${message}`),
  );
}

/** Nothing beside a list of agents says anything of them; what is not known there may be a list of something else. */
function leaveBeside({ line, text }: Part, leftOut: LeftOut): void {
  const content = parsed(line, text);
  const others = isMapping(content) ? without(content, BESIDE_AGENTS, leftOut) : undefined;
  if (others === undefined || Object.keys(others).length > 0) throw noAgents(line);
}

function parsed(line: number, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new Failure(`line ${line}: ${messageOf(error)}`);
  }
}

function noAgents(line: number): Failure {
  return new Failure(
    `line ${line}: write agents as a list below "agents:", each at a dash, or one alone, with its agent_id`,
  );
}

function isMapping(content: unknown): content is Readonly<Record<string, unknown>> {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}

function without(
  written: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, string>>,
  leftOut: LeftOut,
): Record<string, unknown> {
  const kept = Object.entries(written).filter(([key]) => {
    const reason = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (reason !== undefined) leftOut.add(key, reason);
    return reason === undefined;
  });
  return Object.fromEntries(kept);
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
    if (error instanceof Failure) throw error;
    return { faults: error instanceof Faults ? error.all : [messageOf(error)] };
  }
}

/** The lines of a text that comes in pieces, none longer than an agent may be; a byte order mark is no part of it. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  let isFirst = true;
  for await (const piece of pieces) {
    const lines = `${rest}${isFirst ? piece.replace(/^\ufeff/, "") : piece}`.split("\n");
    isFirst = false;
    rest = lines.pop() ?? "";
    for (const text of lines) yield text.endsWith("\r") ? text.slice(0, -1) : text;
    if (rest.length > CHARACTERS_MAX) throw new Failure("a line has more than a megabyte");
  }
  if (rest !== "") yield rest;
}
