import { once } from "node:events";
import { connect } from "node:net";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { client, dial, type Guard, Rejection, reasonOf, streamed } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { type Notebook, openNotebook } from "./notebook.ts";
import { NoteService } from "./notes.ts";
import { connectRaw, framed } from "./raw-caller.ts";

const SERVICE = "notes.v1.NoteService";

const CLOSED: Guard = {
  authenticate: () => Promise.reject(new Rejection("UNAUTHENTICATED", "show a token")),
  authorize: () => {},
};

function healthOf(book: Notebook) {
  return client(Health, book.channel);
}

describe("health", () => {
  test.each(["", SERVICE, "grpc.health.v1.Health"])("of %j follows setServing", async (service) => {
    await using book = await openNotebook();
    const health = healthOf(book);

    const first = await health.check({ service });
    book.server.setServing(false);
    const second = await health.check({ service });

    expect([first.status, second.status]).toEqual([Status.SERVING, Status.NOT_SERVING]);
  });

  test("may begin as NOT_SERVING", async () => {
    await using book = await openNotebook({}, { serving: false });

    expect(await healthOf(book).check({})).toMatchObject({ status: Status.NOT_SERVING });
  });

  test("of an unknown service is NOT_FOUND for Check and SERVICE_UNKNOWN for Watch", async () => {
    await using book = await openNotebook();
    const service = "notes.v1.Nobody";

    const error = await failureOf(healthOf(book).check({ service }));
    const watched = streamed((signal) => healthOf(book).watch({ service }, { signal }));

    expect(error.code).toBe(Code.NotFound);
    expect((await watched.next()).value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    await watched.return();
  });

  test("of all services is listed", async () => {
    await using book = await openNotebook();

    const { statuses } = await healthOf(book).list({});

    expect(Object.keys(statuses).sort()).toEqual(["", "grpc.health.v1.Health", SERVICE]);
  });

  test("is told to a watcher at once and at each change", async () => {
    await using book = await openNotebook();
    const watched = streamed((signal) => healthOf(book).watch({ service: SERVICE }, { signal }));

    const seen = [(await watched.next()).value?.status];
    book.server.setServing(false);
    seen.push((await watched.next()).value?.status);
    book.server.setServing(true);
    seen.push((await watched.next()).value?.status);
    await watched.return();

    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  });

  test("needs no token", async () => {
    await using book = await openNotebook({}, { guard: CLOSED });

    expect(await healthOf(book).check({})).toMatchObject({ status: Status.SERVING });
    expect(reasonOf(await failureOf(book.notes.read({})))).toBe("UNAUTHENTICATED");
  });
});

describe("draining", () => {
  test("lets a unary call finish, and refuses new ones", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using book = await openNotebook({
      write: async () => {
        begun.resolve();
        await go.promise;
        return { text: "done" };
      },
    });

    const answer = book.notes.write({});
    await begun.promise;
    const drained = book.server.drain();
    const late = failureOf(book.notes.write({}));
    go.resolve();

    expect((await answer).text).toBe("done");
    await drained;
    expect((await late).code).toBe(Code.Unavailable);
  });

  test("tells watchers NOT_SERVING, then ends streams with SHUTTING_DOWN", async () => {
    await using book = await openNotebook({}, { drainMs: 400 });
    const watched = streamed((signal) => healthOf(book).watch({}, { signal }));
    await watched.next();

    const drained = book.server.drain();

    expect((await watched.next()).value).toMatchObject({ status: Status.NOT_SERVING });
    const error = await failureOf(watched.next());
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe("SHUTTING_DOWN");
    await drained;
  });

  test("at the limit ends a call with SHUTTING_DOWN and aborts its handler", async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    await using book = await openNotebook(
      {
        write: (_, { signal }) => {
          begun.resolve(signal);
          return new Promise(() => {});
        },
      },
      { drainMs: 50 },
    );

    const failure = failureOf(book.notes.write({}));
    const signal = await begun.promise;
    await book.server.drain();

    expect(reasonOf(await failure)).toBe("SHUTTING_DOWN");
    expect(reasonOf(signal.reason)).toBe("SHUTTING_DOWN");
    expect(book.finished).toMatchObject([{ code: "unavailable", reason: "SHUTTING_DOWN" }]);
  });

  test("may be asked for twice, and setServing cannot undo it", async () => {
    const book = await openNotebook();

    const both = Promise.all([book.server.drain(), book.server.drain()]);
    book.server.setServing(true);

    await expect(both).resolves.toBeDefined();
    book.channel.close();
  });
});

describe("draining at the limit", () => {
  test("does not wait for a caller who keeps his connection and says nothing", async () => {
    await using book = await openNotebook({}, { drainMs: 50 });
    const socket = connect(book.server.port, "127.0.0.1");
    await once(socket, "connect");

    await book.server.drain();

    socket.destroy();
  });

  test("does not wait for a caller who never sends his request", async () => {
    await using book = await openNotebook({}, { drainMs: 50 });
    await using caller = connectRaw(book.server.address);
    await caller.call("grpc.health.v1.Health/Check");
    caller.open("notes.v1.NoteService/Read").write(framed(new Uint8Array()));
    await caller.call("grpc.health.v1.Health/Check");

    await book.server.drain();
  });

  test("does not wait for a caller who does not read his answer", async () => {
    const blob = new Uint8Array(60_000);
    let yielded = 0;
    await using book = await openNotebook(
      {
        async *list() {
          for (;;) {
            yielded += 1;
            yield { blob };
          }
        },
      },
      { drainMs: 50 },
    );
    await using caller = connectRaw(book.server.address);
    caller.open("notes.v1.NoteService/List").pause().end(framed(new Uint8Array()));
    await vi.waitFor(() => expect(yielded).toBeGreaterThan(1));

    await book.server.drain();

    expect(book.finished).toMatchObject([{ reason: "SHUTTING_DOWN" }]);
  });
});

describe("listening", () => {
  test("on a name takes all its addresses", async () => {
    await using book = await openNotebook({}, { listen: "localhost:0" });
    using channel = dial({ address: `127.0.0.1:${book.server.port}` });

    expect(book.server.address).toBe(`localhost:${book.server.port}`);
    expect(await client(NoteService, channel).read({ text: "hi" })).toMatchObject({ text: "hi" });
    expect(await book.notes.read({ text: "hi" })).toMatchObject({ text: "hi" });
  });

  test("on a taken port rejects with an error that names the address", async () => {
    await using book = await openNotebook();
    const listen = book.server.address;

    await expect(openNotebook({}, { listen })).rejects.toThrow(
      `cannot listen on ${listen}: the port is taken`,
    );
  });

  test("on something that is no address rejects with an error that names it", async () => {
    await expect(openNotebook({}, { listen: "nowhere.invalid:0" })).rejects.toThrow(
      "cannot listen on nowhere.invalid:0",
    );
  });
});
