import { expect, test } from "vitest";
import { startEmbedded } from "../src/embedded.ts";
import { createFeed } from "../src/feed.ts";
import { createPool, type Pool } from "../src/index.ts";
import { useFolder } from "./support/embedded.ts";
import { createThings, PUT, readThings, type Thing } from "./support/things.ts";

const folder = useFolder();

/** What a reader is given up to `synced`, and the token of that. */
async function read(pool: Pool, token: string) {
  await using feed = createFeed({ pool, channel: "things" });
  const { signal } = new AbortController();
  const things: Thing[] = [];
  for await (const event of feed.follow({ token, signal, idleMs: 60_000, read: readThings })) {
    if (event.kind !== "item") return { things, token: event.token };
    things.push(event.value);
  }
  throw new Error("the feed ended");
}

/** Uses up transaction ids without waiting for the disk, as the relay does. */
async function spendIds(pool: Pool, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    await pool.query("select set_config('synchronous_commit', 'off', true), pg_current_xact_id()");
  }
}

test("a token from before a crash, whose transaction ids are given out again, is refused", async () => {
  const options = { dataDirectory: folder.path, roots: [folder.roots] };
  const doomed = await startEmbedded(options);
  const before = createPool(doomed.url);
  await createThings(before);
  // So that what nobody waits for is surely not yet on the disk.
  await before.query("alter system set wal_writer_delay = '10s'");
  await before.query("select pg_reload_conf()");
  await before.query("select pg_sleep(0.3)");
  await before.query(PUT, ["a", 1]);
  await spendIds(before, 50);
  const { things, token } = await read(before, "");
  expect(things).toEqual([{ id: "a", value: 1 }]);
  process.kill(doomed.pid, "SIGKILL");
  await doomed.exited;
  await before.end();

  await using server = await startEmbedded(options);
  const after = createPool(server.url);
  await after.query(PUT, ["b", 1]);
  await spendIds(after, 100);

  await expect(read(after, token)).rejects.toMatchObject({ reason: "INVALID_RESUME_TOKEN" });
  const anew = await read(after, "");
  expect(anew.things).toHaveLength(2);

  await server.stop();
  await after.end();
  await using restarted = await startEmbedded(options);
  const again = createPool(restarted.url);
  expect((await read(again, anew.token)).things).toEqual([]);
  await again.end();
});
