import { Failure } from "../failure.ts";

/** A part of a YAML file that is read by itself. */
export interface Part {
  /** An item of a list of agents, all that stands beside such a list, or a document without one. */
  readonly kind: "item" | "beside" | "document";
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
}

/** A part takes no more than this, so that no file can fill the memory. */
export const CHARACTERS_MAX = 1024 * 1024;

/** A part that is being gathered. */
class Gathered {
  readonly line: number;
  /** How many spaces stand before its first line. */
  readonly indent: number;
  #text = "";

  constructor(line: number, indent: number) {
    this.line = line;
    this.indent = indent;
  }

  add(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length <= CHARACTERS_MAX) return;
    throw new Failure(`line ${this.line}: an agent has more than a megabyte`);
  }

  as(kind: Part["kind"]): Part {
    return { kind, line: this.line, text: this.#text };
  }
}

/** A document of the file, as far as it has been read. */
interface Document {
  hasList: boolean;
  /** Whether a dash begins an agent: below "agents:", or where nothing else has come. */
  isListOpen: boolean;
  item: Gathered | undefined;
  rest: Gathered | undefined;
}

const MARK = /^(?:---|\.\.\.)(?=\s|$)/;
const LIST = /^agents: *(?:\[\])? *(?:#|$)/;
const EMPTY = /^\s*(?:#|$)/;

/**
 * Cuts a file into its parts without a parser of YAML, one after the other: a line "---" ends a document wherever it
 * stands, and all that belongs to an item stands deeper than its dash.
 * @throws Failure when a part is too large
 */
export async function* partsOf(lines: AsyncIterable<string>): AsyncGenerator<Part> {
  let line = 0;
  let document = emptyDocument();
  for await (const written of lines) {
    line++;
    if (MARK.test(written)) {
      yield* endOf(document);
      document = emptyDocument();
    }
    const text = written.replace(MARK, "   ");
    const [indent = "", dash] = /^ *(-(?= |$))?/.exec(text) ?? [];
    const depth = indent.length - (dash?.length ?? 0);
    const { item, rest, isListOpen } = document;
    if (EMPTY.test(text)) {
      (item ?? rest)?.add(text);
    } else if (item !== undefined && depth > item.indent) {
      item.add(text);
    } else {
      if (item !== undefined) yield item.as("item");
      document.item = undefined;
      if (dash !== undefined && isListOpen && depth === (item?.indent ?? depth)) {
        document.hasList = true;
        document.item = new Gathered(line, depth);
        document.item.add(text);
      } else if (LIST.test(text)) {
        document.hasList = document.isListOpen = true;
      } else {
        document.isListOpen = false;
        document.rest ??= new Gathered(line, depth);
        document.rest.add(text);
      }
    }
  }
  yield* endOf(document);
}

function emptyDocument(): Document {
  return { hasList: false, isListOpen: true, item: undefined, rest: undefined };
}

function* endOf({ hasList, item, rest }: Document): Generator<Part> {
  if (item !== undefined) yield item.as("item");
  if (rest !== undefined) yield rest.as(hasList ? "beside" : "document");
}
