import { beforeEach, expect, test, vi } from "vitest";
import { testDatabase } from "../src/testing.ts";
import { ask } from "./support/embedded.ts";

beforeEach(() => {
  vi.stubEnv("DATABASE_URL", "");
  return () => vi.unstubAllEnvs();
});

test("without DATABASE_URL a server of our own lives until the last database is gone", async () => {
  const options = {
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  };
  const [one, two] = await Promise.all([testDatabase(options), testDatabase(options)]);
  await one.pool.query("insert into accounts values ('ann', 1)");

  expect((await two.pool.query("select from accounts")).rowCount).toBe(0);
  await one[Symbol.asyncDispose]();
  expect((await two.pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await two[Symbol.asyncDispose]();
  await expect(ask(two.url, "select 1")).rejects.toThrow("ECONNREFUSED");
});
