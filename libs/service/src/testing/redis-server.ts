import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setInterval as every } from "node:timers/promises";
import { freePort } from "@bourse/rpc/free-ports";

/** A Redis of a test's own, on a free port. It keeps nothing on disk, and dies with the process that started it. */
export interface TestRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:port`; of a cluster, those of all nodes, separated by commas. */
  readonly url: string;
}

/** One server. */
export interface TestRedisServer extends TestRedis {
  /** Kills it, as kill -9 does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
}

/** Why suites that start a Redis did not run, and what to do about it. */
export const NO_REDIS_SERVER =
  "no redis-server on the PATH: its suites are skipped " +
  "(Debian: apt-get install redis-server; macOS: brew install redis)";

/** Whether there is a redis-server to start. Where there is none, suites are skipped, or fail when CI=true. */
export function hasRedisServer(): boolean {
  return spawnSync("redis-server", ["--version"]).status === 0;
}

/** Starts a Redis server. */
export async function startRedis(): Promise<TestRedisServer> {
  const port = await freePort();
  const server = await startServer(port);
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: server.kill,
    async restart() {
      await server.kill();
      await server.start();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A server with a folder of its own, which is gone when it is disposed of. */
export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** Sends it a signal that it does not hear of: SIGSTOP or SIGCONT. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Kills it, as kill -9 does, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again after it was killed, with what is in its folder, and waits until it answers. */
  start(): Promise<void>;
}

/** Starts a server that saves nothing by itself. */
export async function startServer(port: number, options: readonly string[] = []): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-redis-"));
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const args = [...own, "--save", "", "--appendonly", "no", ...options];
  let running: Awaited<ReturnType<typeof spawnGuarded>> | undefined;
  const server: Server = {
    port,
    folder,
    signal: (name) => void (running !== undefined && process.kill(running.pid, name)),
    async kill() {
      await running?.kill();
      running = undefined;
    },
    async start() {
      running = await spawnGuarded(args);
      await until(port, "PING", (answer) => answer.includes("PONG"));
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Kills the server when its own input ends, also because the process that started it was killed. */
const GUARDED =
  'redis-server "$@" >/dev/null & server=$!; echo $server; read _; kill -9 $server; wait';

async function spawnGuarded(args: readonly string[]) {
  const shell = spawn("sh", ["-c", GUARDED, "sh", ...args], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(shell, "exit");
  const [pid] = await once(createInterface({ input: shell.stdout }), "line");
  return {
    pid: Number(pid),
    async kill() {
      shell.stdin.end();
      await ended;
    },
  };
}

const PATIENCE_MS = 60_000;
const ASK_EVERY_MS = 25;

/** Asks a server again and again until its answer is as it should be. @throws Error when it takes too long */
export async function until(
  port: number,
  command: string,
  holds: (answer: string) => boolean,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for await (const _ of every(ASK_EVERY_MS)) {
    const answer = await ask(port, command).catch(String);
    if (holds(answer)) return;
    if (performance.now() > deadline) throw new Error(`redis-server on port ${port}: ${answer}`);
  }
}

/** What a server answers to a command, as it stands on the wire. @throws Error when it refuses */
export async function ask(port: number, command: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    socket.end(`${command}\r\nQUIT\r\n`);
    let answer = "";
    for await (const bytes of socket) answer += String(bytes);
    if (answer.startsWith("-")) throw new Error(`${command}: ${answer}`);
    return answer;
  } finally {
    socket.destroy();
  }
}
