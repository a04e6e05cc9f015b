import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A Redis that is reached over a long line. */
export interface FarRedis extends Disposable {
  readonly url: string;
  /** Cuts the line in place of handing on the next answer; resolves when it has. */
  loseNextAnswer(): Promise<void>;
  /** Hands on the next answer, and what comes behind it, so much later. */
  holdNextAnswer(ms: number): void;
}

/** Puts a line of `delayMs` in each direction before the Redis at `url`. */
export async function farRedis(url: string, delayMs: number): Promise<FarRedis> {
  const { hostname, port, pathname } = new URL(url);
  const sockets = new Set<Socket>();
  let atNextAnswer: ((far: Socket, answer: Buffer | string) => void) | undefined;
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port || 6379) });
    joined(near, far);
    joined(far, near);
    near.on("data", (chunk) => later(far, chunk));
    far.on("data", (chunk) => {
      const meddle = atNextAnswer;
      atNextAnswer = undefined;
      if (meddle === undefined) later(near, chunk);
      else meddle(far, chunk);
    });
  });

  function joined(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }

  function later(to: Socket, chunk: Buffer | string): void {
    setTimeout(() => to.write(chunk), delayMs);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    loseNextAnswer: () =>
      new Promise((resolve) => {
        atNextAnswer = (far) => {
          far.destroy();
          resolve();
        };
      }),
    holdNextAnswer(ms) {
      atNextAnswer = (far, answer) => {
        far.pause();
        far.unshift(answer);
        setTimeout(() => far.resume(), ms);
      };
    },
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
