import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/**
 * Below the ports that systems give to connections that go out (Linux from 32,768, others from 49,152): such a
 * connection would take one of ours while nobody listens there, and keep it for a minute after its end.
 */
const FIRST = 10_000;
const LAST = 32_767;

/** Of ports that are taken, so many are met before something else must be wrong. */
const ATTEMPTS = 200;

/**
 * Ports of 127.0.0.1, each once, that nobody listened on just now. No outgoing connection takes them, so a process that
 * is killed finds its port again.
 * @param count from 0 to some tens
 * @throws Error when none is to be had
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempt = 0; held.size < count; attempt++) {
      const port = randomInt(FIRST, LAST + 1);
      const server = await listen(port).catch((error: unknown) => {
        if (attempt >= ATTEMPTS) throw new Error(`no port is free`, { cause: error });
      });
      if (server !== undefined) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map(close));
  }
}

/** One such port. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Listens on a port of 127.0.0.1. @throws Error when it is taken */
export function listen(port: number): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer().once("error", reject);
  server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  return promise;
}

/** Resolves when the port is free again. */
export function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}
