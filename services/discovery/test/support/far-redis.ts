import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A Redis that is reached over a long line. */
export interface FarRedis extends Disposable {
  readonly url: string;
}

/** Puts a line of `delayMs` in each direction before the Redis at `url`. */
export async function farRedis(url: string, delayMs: number): Promise<FarRedis> {
  const { hostname, port, pathname } = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port || 6379) });
    delayed(near, far);
    delayed(far, near);
  });

  function delayed(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk) => void setTimeout(() => to.write(chunk), delayMs));
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
