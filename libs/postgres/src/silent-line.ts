import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A line to a Postgres that can fall silent without being closed, for tests. */
export interface SilentLine extends AsyncDisposable {
  readonly url: string;
  /** From now on what the server answers over the connections there are goes nowhere; new ones are as before. */
  mute(): void;
  /** Nobody gets a new connection any more. */
  close(): void;
}

/** Puts a line before the server at `target`. */
export async function silentLine(target: string): Promise<SilentLine> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let mutings = 0;
  const server = createServer((near) => {
    const far = connect(Number(port || 5_432), hostname);
    const heard = mutings;
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => {
      if (heard === mutings) near.write(bytes);
    });
    join(near, far);
    join(far, near);
  });

  function join(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    mute() {
      mutings += 1;
    },
    close: () => void server.close(),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
