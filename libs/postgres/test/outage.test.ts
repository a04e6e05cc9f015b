import { isOutage, isUnstorable } from "@bourse/postgres";
import { testDatabase } from "@bourse/postgres/testing";
import { describe, expect, test } from "vitest";

describe("an error of the database", () => {
  test.each([
    ["the server refuses connections", { code: "ECONNREFUSED" }],
    ["the connection was reset", { code: "ECONNRESET" }],
    ["the name of the server is not known", { code: "EAI_AGAIN" }],
    ["the server shuts down", { code: "57P01" }],
    ["the server has become a standby", { code: "25006" }],
  ])("counts as an outage when %s", (_case, fields) => {
    expect(isOutage(Object.assign(new Error("away"), fields))).toBe(true);
  });

  test.each([
    ["a bug in how Node was called", { code: "ERR_INVALID_ARG_TYPE" }],
    ["a broken constraint", { code: "23505" }],
    ["a cancelled statement", { code: "57014" }],
  ])("is no outage when it is %s", (_case, fields) => {
    expect(isOutage(Object.assign(new Error("no outage"), fields))).toBe(false);
  });
});

test.each(["select $1::text", "select $1::jsonb"])(
  "U+0000 in `%s` is told as unstorable",
  async (sql) => {
    await using database = await testDatabase({
      schema: "bank",
      directory: new URL("migrations/", import.meta.url),
    });
    const text = sql.includes("jsonb") ? '{"a": "\\u0000"}' : "\u0000";

    const error = await database.pool.query(sql, [text]).catch((thrown: unknown) => thrown);

    expect(isUnstorable(error)).toBe(true);
  },
);
