import { spawn, spawnSync } from "node:child_process";
import { createConnection } from "node:net";
import { freePort } from "@bourse/rpc/free-ports";
import { Failure } from "../failure.ts";

const START_TIMEOUT_MS = 10_000;

/**
 * Starts a private Redis that keeps nothing, from the `redis-server` on the PATH, and answers with its
 * URL; undefined when there is none to be had. The stack stops it.
 * @throws Failure when it does not come up
 */
export async function startRedis(
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
