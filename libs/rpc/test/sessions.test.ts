import { once } from "node:events";
import { connect } from "node:http2";
import { createConnection } from "node:net";
import { expect, test } from "vitest";
import { Connection } from "../src/http2/connection.ts";
import { listenOn } from "../src/listener.ts";
import { createSessions, type SessionLimits } from "../src/sessions.ts";

const NEVER = 3_600_000;
const LIMITS: SessionLimits = {
  pingEveryMs: NEVER,
  pingTimeoutMs: 20,
  maxAgeMs: NEVER,
  graceMs: NEVER,
};

/** An HTTP/2 server whose connections are kept by `limits`; its streams are never answered. */
async function openServer(limits: Partial<SessionLimits>) {
  const sessions = createSessions({ ...LIMITS, ...limits });
  const onError = (error: unknown): never => {
    throw error;
  };
  const listener = await listenOn(
    "127.0.0.1:0",
    (socket) => {
      const onGone = () => sessions.remove(connection);
      const connection = new Connection(socket, { onStream: () => {}, onGone, onError });
      sessions.add(connection);
    },
    onError,
  );
  return {
    port: listener.port,
    async [Symbol.asyncDispose]() {
      sessions.close();
      await listener.close();
    },
  };
}

test("a connection that answers no ping is cut", async () => {
  await using server = await openServer({ pingEveryMs: 20 });
  const mute = createConnection(server.port, "127.0.0.1");
  mute.on("error", () => {}).resume();
  mute.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  mute.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));

  await once(mute, "close");
});

test("a connection that answers its pings stays", async () => {
  // Long enough for this process to answer itself, however busy the machine.
  await using server = await openServer({ pingEveryMs: 20, pingTimeoutMs: 1_000 });
  const session = connect(`http://127.0.0.1:${server.port}`);

  // It is pinged again only when it has answered.
  for (let pings = 0; pings < 3; pings += 1) await once(session, "ping");

  expect(session.destroyed).toBe(false);
  session.close();
});

test("an old connection takes no more calls and goes when it has none", async () => {
  await using server = await openServer({ maxAgeMs: 20 });
  const session = connect(`http://127.0.0.1:${server.port}`);

  const [[code]] = await Promise.all([once(session, "goaway"), once(session, "close")]);

  expect(code).toBe(0);
});

test("an old connection is cut after the grace, though a call is under way", async () => {
  await using server = await openServer({ maxAgeMs: 20, graceMs: 20 });
  const session = connect(`http://127.0.0.1:${server.port}`);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST" }).on("error", () => {});

  await once(stream, "close");
});
