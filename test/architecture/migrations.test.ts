import { describe, expect, test } from "vitest";
import { isMigration, migrationFaults, OLDER } from "./migrations.ts";
import { readFiles, told } from "./tree.ts";

const migrations = readFiles(isMigration);
const OUTSIDE = "-- outside a transaction\n";

/** What is found in a file of that text. */
function found(text: string): readonly string[] {
  return migrationFaults({ path: "services/a/migrations/0002_b.sql", text }).map(
    ({ problem }) => problem,
  );
}

describe("a migration", () => {
  test("holds up nobody who uses a table that it did not make itself", () => {
    const faults = migrations.filter(({ path }) => !OLDER.has(path)).flatMap(migrationFaults);

    expect(told(faults)).toEqual([]);
  });

  test("is excused only while it needs to be", () => {
    const needed = migrations.filter((file) => migrationFaults(file).length > 0);

    expect(needed.map(({ path }) => path)).toEqual([...OLDER]);
  });
});

describe("the check of migrations", () => {
  test.each([
    ["create index a_b on a (b)", "without concurrently"],
    ["create unique index if not exists a_b on only s.a (b)", "without concurrently"],
    ["alter table a add constraint a_pkey primary key (b)", "without concurrently"],
    ["alter table a drop constraint a_pkey, add unique (b, c)", "without concurrently"],
    ["alter table a add constraint a_b check (b > 0)", "without not valid"],
    ["alter table a add constraint a_b foreign key (b) references c (d)", "without not valid"],
    ["alter table a add constraint a_b not null b", "without not valid"],
    ["alter table a alter column b set not null", "is not null"],
    ["alter table only a alter b type bigint", "type of a column"],
    ["alter table a alter column b set data type bigint", "type of a column"],
    ["alter table a add column b uuid default gen_random_uuid()", "volatile default"],
    ["alter table a add b timestamptz not null default clock_timestamp()", "volatile default"],
    ["alter table a add column b bigint generated always as identity", "computed for each row"],
    ["alter table a add column b bigserial", "computed for each row"],
    ["alter table a add column b text check (b <> '')", "with a constraint"],
    ["alter table a add column b text references c (d)", "with a constraint"],
    ["alter table a set unlogged", "rewrites"],
    ["vacuum full a", "rewrites"],
    ["cluster a using a_b", "rewrites"],
    ["create table a_1 partition of a for values in (1)", "attach one"],
    ["update a set b = 1", "not in batches"],
    ["delete from a where b is null", "not in batches"],
    ["with c as (select 1) update a set b = 1", "not in batches"],
    ["do $$ begin update a set b = 1; end $$", "not in batches"],
    ["alter table a validate constraint a_b", "inside a transaction"],
    [`${OUTSIDE}update a set b = 1 where b is null`, "not in batches"],
    [`${OUTSIDE}-- in batches\nupdate a set b = 1 where b is null`, "not in batches"],
    [`${OUTSIDE}alter table a add constraint a_b check (b > 0) not valid`, "twice"],
    [`${OUTSIDE}create table c (d text)`, "twice"],
    [`${OUTSIDE}drop index concurrently a_b`, "twice"],
    [`${OUTSIDE}alter type c add value 'D'`, "twice"],
    [`${OUTSIDE}insert into a values (1)`, "twice"],
    [`${OUTSIDE}alter table a add column b text`, "twice"],
    [
      `${OUTSIDE}alter table a drop constraint if exists c, add constraint a_b check (b > 0) not valid`,
      "twice",
    ],
    [
      `${OUTSIDE}drop trigger if exists c on a; create trigger b before insert on a execute function f()`,
      "twice",
    ],
  ])("finds a fault in: %s", (text, problem) => {
    expect(found(text)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    "create table a (b int); create index a_b on a (b); update a set b = 1",
    "create table a (b int); alter table a alter b type bigint, add check (b > 0)",
    "create table a (b int) partition by range (b); create table a_d partition of a default",
    "-- create index a_b on a (b);\nselect 1",
    "insert into a values ('; update a set b = 1')",
    "create function f() returns trigger as $$ begin update a set b = 1; end $$ language plpgsql",
    "create trigger a_final before update or delete on a for each row execute function f()",
    "alter table a add constraint a_b check (b > 0) not valid, drop column c",
    "alter table a add constraint a_b foreign key (b) references c (d) not valid",
    "alter table a add constraint a_pkey primary key using index a_b",
    "alter table a add column b text",
    "alter table a add column if not exists b text not null default '', add c int default -1",
    "alter table a add column b timestamptz not null default now(), add d text[] default '{}'::text[]",
    "alter table a alter column b set default gen_random_uuid()",
    "alter table a attach partition a_1 for values in (1)",
    "drop index a_b",
    `${OUTSIDE}create unique index concurrently if not exists a_b on a (b)`,
    `${OUTSIDE}alter table a validate constraint a_b; alter type c add value if not exists 'D'`,
    `${OUTSIDE}drop index concurrently if exists a_b; reindex table concurrently a`,
    `${OUTSIDE}alter table a drop constraint if exists c, add constraint c check (b > 0) not valid`,
    `${OUTSIDE}drop trigger if exists b on a; create constraint trigger b after insert on a execute function f()`,
    `${OUTSIDE}-- in batches\nupdate a set b = 1 where c in (select c from a where b is null limit 9)`,
    `${OUTSIDE}do $$ begin delete from a where c in (select c from a limit 9); commit; end $$`,
  ])("finds nothing in: %s", (text) => {
    expect(found(text)).toEqual([]);
  });

  test("names the line where the statement begins", () => {
    const text = "select 1;\n\n-- why\nupdate a set b = 1;";

    expect(told(migrationFaults({ path: "a.sql", text }))).toEqual([
      "a.sql:3 changes rows, but not in batches",
    ]);
  });
});
