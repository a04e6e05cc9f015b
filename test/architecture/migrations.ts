import { type Statement, splitSql } from "@bourse/postgres/split-sql";
import type { Fault, TextFile } from "./tree.ts";

/** Files that are older than the rules; they ran everywhere before there was anything to hold up. */
export const OLDER: ReadonlySet<string> = new Set(["libs/postgres/sql/0003_outbox_lanes.sql"]);

/** True for a file that `migrate` applies. */
export function isMigration(path: string): boolean {
  return /\/(migrations|sql)\/\d{4}_[^/]*\.sql$/.test(path);
}

/** What would hold up those who use a table that stood before, or could not be run again. */
export function migrationFaults({ path, text }: TextFile): readonly Fault[] {
  const outside = /^-- outside a transaction\r?\n/.test(text);
  const statements = splitSql(text).map((statement) => plain(statement, outside));
  const own = new Set(statements.flatMap(({ code }) => CREATE_TABLE.exec(code)?.[1] ?? []));
  const dropped = droppedIn(statements);
  return statements.flatMap((statement) => {
    const problems = [
      ...CHECKS.flatMap((check) => check(statement, (table) => !own.has(bare(table)))),
      ...(outside && !repeatable(statement.code, dropped) ? ["cannot be run twice"] : []),
    ];
    const line = text.slice(0, text.indexOf(statement.text)).split("\n").length;
    return problems.map((problem) => ({ path, line, problem }));
  });
}

/** A statement in lower case, with nothing in its quotes. */
interface Plain {
  readonly code: string;
  readonly text: string;
  /** What stands between dollars. */
  readonly body: string;
  readonly outside: boolean;
  readonly inBatches: boolean;
}

type Check = (statement: Plain, isOld: (table: string) => boolean) => readonly string[];

const CREATE_TABLE = /^create (?:unlogged )?table (?:if not exists )?(?:\w+\.)?"?(\w+)"?/;
const BODY = /\$(\w*)\$([\s\S]*?)\$\1\$/;

function plain({ text, code, comments }: Statement, outside: boolean): Plain {
  const body = BODY.exec(code)?.[2]?.toLowerCase() ?? "";
  const inBatches = comments.includes("in batches");
  const quiet = code
    .replace(BODY, "''")
    .replaceAll(/'(?:[^']|'')*'/g, "''")
    .toLowerCase();
  return { text, code: quiet, body, outside, inBatches };
}

function bare(table: string): string {
  return table.replace(/^\w+\./, "").replaceAll('"', "");
}

const CHECKS: readonly Check[] = [
  ({ code }, isOld) => {
    const table = /^create (?:unique )?index (?!concurrently).*? on (?:only )?([\w."]+)/.exec(code);
    return table?.[1] && isOld(table[1]) ? ["builds an index without concurrently"] : [];
  },
  ({ code }, isOld) => {
    const parent = / partition of ([\w."]+)/.exec(code)?.[1];
    return parent && isOld(parent) ? ["locks the table to make a partition: attach one"] : [];
  },
  ({ code }, isOld) => {
    const table = /^(?:vacuum|cluster|reindex(?: table)?)\b(?!.*concurrently).*?([\w."]+)$/.exec(
      code,
    );
    return table?.[1] && isOld(table[1]) ? ["rewrites the table"] : [];
  },
  ({ code, outside }, isOld) => {
    const [, table = "", actions = ""] = ALTER_TABLE.exec(code) ?? [];
    if (table === "" || !isOld(table)) return [];
    return actionsOf(actions).flatMap((action) => {
      const found = ACTIONS.filter(([pattern]) => pattern.test(action)).map(
        ([, problem]) => problem,
      );
      const validates = /^validate /.test(action) && !outside;
      return [...found, ...(validates ? ["validates a constraint inside a transaction"] : [])];
    });
  },
  (statement, isOld) => {
    const { code, body, outside, inBatches } = statement;
    const written = /^(update|delete|with|do)\b/.test(code) ? `${code} ${body}` : "";
    const tables = [...written.matchAll(WRITES)].flatMap(([, table = ""]) => table);
    const batched = outside && / limit /.test(written) && (inBatches || /\bcommit\b/.test(body));
    return tables.some(isOld) && !batched ? ["changes rows, but not in batches"] : [];
  },
];

const ALTER_TABLE = /^alter table (?:if exists )?(?:only )?([\w."]+) (.*)$/;
const WRITES =
  /(?<!for |on |do |or |no key )\b(?:update|delete from) (?:only )?(?!set\b)([\w."]+)/g;

/** What an action on a table that stood before must not be, and why. */
const ACTIONS: readonly (readonly [RegExp, string])[] = [
  [
    /^add (constraint \w+ )?(check|foreign key|not null)\b(?!.* not valid)/,
    "adds a constraint without not valid",
  ],
  [
    /^add (constraint \w+ )?(primary key|unique|exclude)\b(?!.* using index )/,
    "builds an index without concurrently",
  ],
  [/^alter (column )?\w+ set not null/, "reads the whole table: check (… is not null) not valid"],
  [/^alter (column )?\w+ (set data )?type\b/, "changes the type of a column"],
  [/^set (tablespace|logged|unlogged|access method)\b/, "rewrites the table"],
  [addsColumn(/ (references|check|unique|primary key)\b/), "adds a column with a constraint"],
  [addsColumn(/ (generated|(big|small)?serial)\b/), "adds a column that is computed for each row"],
  [
    addsColumn(
      / default (?!(''|[-+]?[\d.]+|true|false|null|now\(\)|current_\w+)(::[\w[\] ]+)?( |$))/,
    ),
    "adds a column with a volatile default",
  ],
];

function addsColumn(what: RegExp): RegExp {
  const other = "constraint|check|foreign|not|primary|unique|exclude";
  return new RegExp(
    `^add (column )?(if not exists )?(?!(${other})\\b)\\w+ .*?${what.source.trimStart()}`,
  );
}

/** Splits at the commas that stand in no brackets. */
function actionsOf(list: string): readonly string[] {
  let depth = 0;
  const separated = [...list].map((char) => {
    if (char === "(") depth += 1;
    if (char === ")") depth -= 1;
    return char === "," && depth === 0 ? "\n" : char;
  });
  return separated
    .join("")
    .split("\n")
    .map((action) => action.trim());
}

/** Constraints and triggers that a file drops if they are there: it may make them again, however often it is run. */
function droppedIn(statements: readonly Plain[]): ReadonlySet<string> {
  const drops = statements.flatMap(({ code }) => [...code.matchAll(DROPS)]);
  return new Set(drops.map(([, name = ""]) => name));
}

const DROPS = /\bdrop (?:constraint|trigger) if exists (\w+)/g;
const CREATE_TRIGGER = /^create (?:constraint )?trigger (\w+)/;

function repeatable(code: string, dropped: ReadonlySet<string>): boolean {
  const trigger = CREATE_TRIGGER.exec(code)?.[1];
  if (trigger !== undefined && dropped.has(trigger)) return true;
  if (/^create /.test(code)) return / if not exists |^create or replace /.test(code);
  if (/^drop /.test(code)) return / if exists /.test(code);
  if (/^insert /.test(code)) return / on conflict /.test(code);
  if (/^alter .* add (value|column) /.test(code)) return / if not exists /.test(code);
  const [, , actions = ""] = ALTER_TABLE.exec(code) ?? [];
  return actionsOf(actions).every((action) => {
    const added = /^add (?:constraint (\w+))?/.exec(action);
    return added === null || dropped.has(added[1] ?? "");
  });
}
