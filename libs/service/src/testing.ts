import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setInterval as every } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, freePorts } from "@bourse/rpc/free-ports";

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
  let server = await startServer(port, []);
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: async () => server[Symbol.asyncDispose](),
    async restart() {
      await server[Symbol.asyncDispose]();
      server = await startServer(port, []);
    },
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  };
}

/** All slots of a cluster. */
const SLOTS = 16_384;

/** Starts a Redis Cluster of masters without replicas; takes about two seconds, which a new master waits. */
export async function startRedisCluster(nodes = 3): Promise<TestRedis> {
  await using stack = new AsyncDisposableStack();
  const ports = await freePorts(nodes * 2);
  const [clients, buses] = [ports.slice(0, nodes), ports.slice(nodes)];
  await Promise.all(
    clients.map(async (port, index) => {
      const cluster = ["--cluster-enabled", "yes", "--cluster-port", String(buses[index])];
      stack.use(await startServer(port, [...cluster, "--cluster-node-timeout", "2000"]));
    }),
  );
  const share = Math.ceil(SLOTS / nodes);
  for (const [index, port] of clients.entries()) {
    const last = Math.min(SLOTS, share * (index + 1)) - 1;
    await ask(port, `CLUSTER ADDSLOTSRANGE ${share * index} ${last}`);
    await ask(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
    if (index > 0)
      await ask(clients[0] as number, `CLUSTER MEET 127.0.0.1 ${port} ${buses[index]}`);
  }
  const isWhole = (info: string) =>
    info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${nodes}\r`);
  await Promise.all(clients.map((port) => until(port, "CLUSTER INFO", isWhole)));
  const started = stack.move();
  return {
    url: clients.map((port) => `redis://127.0.0.1:${port}`).join(","),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** A service in a process of its own. Disposing kills it, as `kill` does. */
export interface TestProcess<T> extends AsyncDisposable {
  /** What it told when it was ready. */
  readonly told: T;
  /** Kills it, as kill -9 does, and waits until it is gone. */
  kill(): Promise<void>;
}

/**
 * Starts a service by its main file, with this environment and nothing else of ours, and waits until one of the lines
 * that it logs is what `read` looks for.
 * @throws when it ends before
 */
export async function startProcess<T>(
  main: URL,
  env: Readonly<Record<string, string>>,
  read: (line: Readonly<Record<string, unknown>>) => T | undefined,
): Promise<TestProcess<T>> {
  const child = spawn(process.execPath, [fileURLToPath(main)], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const told = read(JSON.parse(line) as Record<string, unknown>);
    if (told === undefined) continue;
    child.stdout.resume();
    return { told, kill, [Symbol.asyncDispose]: kill };
  }
  throw new Error(`${main.pathname} ended before it was ready`);
}

/** Kills the server when its own input ends, also because the process that started it was killed. */
const GUARDED = 'redis-server "$@" >/dev/null & server=$!; read _; kill -9 $server; wait';

async function startServer(port: number, options: readonly string[]): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-redis-"));
  const kept = ["--save", "", "--appendonly", "no", "--dir", folder];
  const args = ["--port", String(port), "--bind", "127.0.0.1", ...kept, ...options];
  const shell = spawn("sh", ["-c", GUARDED, "sh", ...args], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = once(shell, "exit");
  const server = {
    async [Symbol.asyncDispose]() {
      shell.stdin.end();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await until(port, "PING", (answer) => answer.includes("PONG"));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

const PATIENCE_MS = 60_000;
const ASK_EVERY_MS = 25;

async function until(port: number, command: string, holds: (answer: string) => boolean) {
  const deadline = performance.now() + PATIENCE_MS;
  for await (const _ of every(ASK_EVERY_MS)) {
    const answer = await ask(port, command).catch(String);
    if (holds(answer)) return;
    if (performance.now() > deadline) throw new Error(`redis-server on port ${port}: ${answer}`);
  }
}

/** What a server answers to a command. @throws Error when it refuses */
async function ask(port: number, command: string): Promise<string> {
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
