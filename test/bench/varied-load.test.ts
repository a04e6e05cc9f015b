import { Server, ServerCredentials } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { runVaried } from "./varied-load.ts";

const PATH = "/bench.Echo/Call";
const as = (bytes: Buffer): Buffer => bytes;

/** A grpc-js server that remembers what it was asked, and by whom. */
async function startServer(answer: Buffer) {
  const asked: string[] = [];
  const tokens = new Set<unknown>();
  const server = new Server();
  const method = {
    path: PATH,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: as,
    requestDeserialize: as,
    responseSerialize: as,
    responseDeserialize: as,
  };
  server.addService(
    { call: method },
    {
      call(
        call: { request: Buffer; metadata: { get(name: string): unknown[] } },
        answered: (e: null, b: Buffer) => void,
      ) {
        asked.push(call.request.toString());
        tokens.add(call.metadata.get("authorization")[0]);
        answered(null, answer);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { asked, tokens, port, [Symbol.dispose]: () => server.forceShutdown() };
}

describe("a varied load", () => {
  test("asks one message after the other, over and over, with the token, and counts what is answered", async () => {
    // More than fits into a window of the usual size.
    using server = await startServer(Buffer.alloc(100_000));
    const messages = Array.from(
      { length: 50 },
      (_, nth) => `message ${nth} ${"x".repeat(nth * 20)}`,
    );

    const measure = await runVaried({
      address: `127.0.0.1:${server.port}`,
      path: PATH,
      messages: messages.map((text) => Buffer.from(text)),
      token: "t".repeat(300),
      connections: 2,
      streams: 3,
      seconds: 0.5,
      signal: new AbortController().signal,
    });

    expect(measure.calls).toBe(measure.tookMs.length);
    expect(measure.tookMs.every((ms) => ms > 0)).toBe(true);
    expect(server.asked.length).toBeGreaterThanOrEqual(measure.calls);
    expect([...new Set(server.asked)].sort()).toEqual([...messages].sort());
    const counts = messages.map((text) => server.asked.filter((one) => one === text).length);
    // Two connections, of three calls each: whoever is last is at most a few behind.
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(6);
    expect([...server.tokens]).toEqual([`Bearer ${"t".repeat(300)}`]);
  });

  test("fails when the server is away", async () => {
    const calls = runVaried({
      address: "127.0.0.1:1",
      path: PATH,
      messages: [Buffer.from("any")],
      connections: 1,
      streams: 1,
      seconds: 0.1,
      signal: new AbortController().signal,
    });

    await expect(calls).rejects.toThrow("ECONNREFUSED");
  });
});
