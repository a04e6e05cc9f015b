import { expect, test } from "vitest";
import { startForgetting } from "../src/forgetting.ts";
import { openDatabase } from "./books.ts";

test("requests are forgotten after a week, and not before", async () => {
  await using database = await openDatabase();
  const { pool } = database;
  const now = new Date();
  const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
  await pool.query(
    `insert into requests (principal, id, method, fingerprint, created_at)
     values ('operator', 'old', 'm', '', $1), ('operator', 'young', 'm', '', $2)`,
    [daysAgo(7.1), daysAgo(6.9)],
  );
  const faults: unknown[] = [];

  using _forgetting = startForgetting({
    pool,
    now: () => now,
    onFault: (error) => faults.push(error),
    everyMs: 20,
  });

  const left = async () => (await pool.query("select id from requests")).rows;
  await expect.poll(left).toEqual([{ id: "young" }]);
  expect(faults).toEqual([]);
});
