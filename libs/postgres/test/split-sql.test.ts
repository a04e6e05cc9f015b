import { expect, test } from "vitest";
import { splitSql } from "../src/split-sql.ts";

test.each([
  ["statements end at semicolons", "select 1; select 2", ["select 1", "select 2"]],
  ["what follows the last one counts when it is one", "select 1;\n-- done\n", ["select 1"]],
  [
    "strings keep theirs",
    "select 'a;b', 'it''s;'; select 2",
    ["select 'a;b', 'it''s;'", "select 2"],
  ],
  ["so do strings with escapes", "select E'\\';'; select 2", ["select E'\\';'", "select 2"]],
  ["and quoted names", 'select 1 as "a;""b"; select 2', ['select 1 as "a;""b"', "select 2"]],
  ["and bodies", "do $$ a; b; $$; select 2", ["do $$ a; b; $$", "select 2"]],
  ["and bodies with a tag", "do $x$ a; $$; $x$; select 2", ["do $x$ a; $$; $x$", "select 2"]],
  ["a parameter begins no body", "select $1; select $2", ["select $1", "select $2"]],
])("%s", (_, sql, texts) => {
  expect(splitSql(sql).map(({ text }) => text)).toEqual(texts);
});

test("comments are told apart from the code, and end no statement", () => {
  const sql = "-- first; of all\nselect 1, /* one; */ 'a -- b'\n  from t; select 2 -- last";

  expect(splitSql(sql)).toEqual([
    {
      text: sql.slice(0, sql.indexOf("; select 2")),
      code: "select 1, 'a -- b' from t",
      comments: ["first; of all", "one;"],
    },
    { text: "select 2 -- last", code: "select 2", comments: ["last"] },
  ]);
});
