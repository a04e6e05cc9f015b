import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** An open port and the connections that came in through it. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections; resolves when the last one is gone. */
  close(): Promise<void>;
  /** Cuts every connection, whatever its other end does. */
  cut(): void;
}

/**
 * Listens on all addresses of `host:port`; port 0 takes a free one. Rejects with an error that names
 * the address if it cannot listen on any of them. `onError` is told of connections that could not
 * be taken later, for want of file descriptors for example.
 */
export async function listenOn(
  address: string,
  accept: (socket: Socket) => void,
  onError: (error: unknown) => void,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const [, host = "", asked = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  const servers: Server[] = [];
  let port = Number(asked);
  let failure: unknown;

  function connected(socket: Socket): void {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    accept(socket);
  }

  try {
    for (const { address } of await lookup(host, { all: true })) {
      const server = createServer({ noDelay: true }, connected).listen(port, address);
      try {
        await once(server, "listening");
      } catch (error) {
        failure = error;
        continue;
      }
      servers.push(server.on("error", onError));
      ({ port } = server.address() as AddressInfo);
    }
  } catch (error) {
    failure = error;
  }
  if (servers.length === 0) throw unable(address, failure);
  return {
    port,
    async close() {
      await Promise.all(servers.map((server) => once(server.close(), "close")));
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function unable(address: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === "EADDRINUSE" ? "the port is taken" : message;
  return new Error(`cannot listen on ${address}: ${why}`, { cause });
}
