import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "@bourse/postgres/embedded";
import { startRedis } from "../market/redis.ts";

/** The servers that tests talk to. */
export interface TestServers extends AsyncDisposable {
  readonly databaseUrl: string;
  /** Absent when there is none to be had. */
  readonly redisUrl: string | undefined;
}

/** Why Redis suites did not run, and what to do about it. */
export const NO_REDIS =
  "no Redis: its suites were skipped. Set REDIS_URL, or put a redis-server on the PATH " +
  "(Debian: apt-get install redis-server; macOS: brew install redis)";

/** Takes the servers that DATABASE_URL and REDIS_URL name, and starts private ones for those that are not named. */
export async function startTestServers(env: NodeJS.ProcessEnv): Promise<TestServers> {
  await using started = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "bourse-test-"));
  started.defer(() => rmSync(folder, { recursive: true, force: true }));
  const databaseUrl = env["DATABASE_URL"] ?? (await startPostgres(started, folder));
  const redisUrl = env["REDIS_URL"] ?? (await startRedis(started, folder));
  const stack = started.move();
  return { databaseUrl, redisUrl, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function startPostgres(stack: AsyncDisposableStack, folder: string): Promise<string> {
  const server = await startEmbedded({ dataDirectory: join(folder, "postgres"), durable: false });
  return stack.use(server).url;
}
