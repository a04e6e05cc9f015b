import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "@bourse/postgres/embedded";
import { Failure } from "../failure.ts";
import { freePort } from "../market/ports.ts";

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

const START_TIMEOUT_MS = 10_000;

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

async function startRedis(
  stack: AsyncDisposableStack,
  folder: string,
): Promise<string | undefined> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) return undefined;
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const server = spawn("redis-server", [...options, "--save", "", "--appendonly", "no"], {
    stdio: "ignore",
  });
  stack.defer(() => void server.kill("SIGTERM"));
  await waitForPort(port);
  return `redis://127.0.0.1:${port}`;
}

async function waitForPort(port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (Date.now() > deadline) {
      throw new Failure(`redis-server did not come up on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
