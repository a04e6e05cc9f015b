import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { REDIS_URL } from "./stores.ts";

/** Redis behind a connection that can be cut. */
export async function aWire() {
  const target = new URL(REDIS_URL);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(target.port || 6379), target.hostname);
    for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
    return near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    [Symbol.dispose]() {
      cut();
      server.close();
    },
  };
}
