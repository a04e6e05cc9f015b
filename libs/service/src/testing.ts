import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export {
  startRedisCluster,
  type TestRedisCluster,
  type TestRedisNode,
} from "./testing/redis-cluster.ts";
export {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedis,
  type TestRedis,
  type TestRedisServer,
} from "./testing/redis-server.ts";

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
