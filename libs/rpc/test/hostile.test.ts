import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Health } from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ANONYMOUS, bind, client, faultsOf, metadataOf, reasonOf } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";
import { connectRaw, framed } from "./raw-caller.ts";

const READ = "notes.v1.NoteService/Read";

describe("a caller who lies", () => {
  test.each(["Read", "List", "Sum", "Chat"])(
    "about his deadline, which has passed, does not reach the handler: %s",
    async (name) => {
      let handled = 0;
      const handler = () => {
        handled += 1;
        throw new Error("too late");
      };
      await using book = await openNotebook({
        read: handler,
        list: handler,
        sum: handler,
        chat: handler,
      });
      await using caller = connectRaw(book.server.address);

      const heard = await caller.call(`notes.v1.NoteService/${name}`, { "grpc-timeout": "0m" });

      expect(heard["grpc-status"]).toBe(String(Code.DeadlineExceeded));
      expect(handled).toBe(0);
    },
  );

  test("in headers that are no ASCII gets his answer, and writes nothing into our output", async () => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const errors = vi.spyOn(console, "error").mockReturnValue();
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);

    const heard = await caller.call(READ, { authorization: "Bearer gehe\u00efm", "x-b-bin": "%%" });

    expect(heard["grpc-status"]).toBe("0");
    expect(written).not.toHaveBeenCalled();
    expect(errors).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test.each([
    ["another method", { ":method": "PUT" }, 405],
    ["another content", { "content-type": "application/json" }, 415],
  ])("about what he speaks is told so by HTTP: %s", async (_, headers, status) => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);

    expect(await caller.call(READ, headers)).toMatchObject({ ":status": status });
  });

  test.each(["", "1", "1s", "123456789S", "-1S", "1e3S"])(
    "about what a time is gets INVALID_REQUEST: %j",
    async (timeout) => {
      await using book = await openNotebook();
      await using caller = connectRaw(book.server.address);

      const heard = await caller.call(READ, { "grpc-timeout": timeout });

      expect(heard["grpc-status"]).toBe(String(Code.InvalidArgument));
    },
  );

  test.each(["Read", "List"])("about how many messages there are is refused: %s", async (name) => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);
    const answered = (request: Uint8Array): Promise<unknown> =>
      new Promise((resolve) => {
        const stream = caller.open(`notes.v1.NoteService/${name}`);
        stream.once("response", (headers) => resolve(headers["grpc-status"]));
        stream.end(request);
      });
    const message = framed(new Uint8Array());

    const statuses = [
      await answered(new Uint8Array()),
      await answered(Buffer.concat([message, message])),
    ];

    expect(statuses).toEqual([String(Code.InvalidArgument), String(Code.InvalidArgument)]);
  });

  test("about what a message is gets INVALID_REQUEST", async () => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);

    const heard = await caller.call(READ, {}, new Uint8Array([0x0a, 0x7f, 1, 2, 3]));

    expect(heard["grpc-status"]).toBe(String(Code.InvalidArgument));
    expect(book.finished).toMatchObject([{ reason: "INVALID_REQUEST" }]);
  });

  test("about the length of a message is refused at once, and not waited for", async () => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);
    const stream = caller.open(READ);
    const status = new Promise((resolve) => {
      stream.once("response", (headers) => resolve(headers["grpc-status"]));
    });

    stream.write(framed(new Uint8Array(3), 0xffff_ffff));

    expect(await status).toBe(String(Code.ResourceExhausted));
  });

  test("by vanishing in the middle of a stream leaves nothing behind", async () => {
    const begun = Promise.withResolvers<void>();
    await using book = await openNotebook({
      async sum(notes) {
        begun.resolve();
        for await (const _ of notes);
        return {};
      },
    });
    await using caller = connectRaw(book.server.address);
    caller.open("notes.v1.NoteService/Sum").write(framed(new Uint8Array()));
    await begun.promise;

    caller.vanish();

    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "canceled" }]));
    expect(book.lateErrors).toEqual([]);
  });
});

describe("callers who begin and do not end", () => {
  test.each([
    ["Read", [8_000]],
    ["Sum", [8_000]],
    ["Chat", [8_000]],
    ["Read", Array.from({ length: 200 }, () => 40)],
  ] as const)("take no more than their share: %s", async (name, cuts) => {
    const guard = { authenticate: () => ANONYMOUS, authorize: () => {} };
    await using book = await openNotebook({}, { maxIntakeBytes: 20_000, guard });
    const slow = connectRaw(book.server.address);
    const stream = slow.open(`notes.v1.NoteService/${name}`);
    const bytes = framed(new Uint8Array(8_000), 9_000);
    let at = 0;
    for (const length of cuts) {
      stream.write(bytes.subarray(at, at + length));
      at += length;
    }
    // More than fits into one frame, so that it is not whole at first.
    const blob = new Uint8Array(17_000);

    await vi.waitFor(async () => {
      expect(reasonOf(await failureOf(book.notes.write({ blob })))).toBe("SERVER_BUSY");
    });
    slow.vanish();

    await vi.waitFor(() => book.notes.write({ blob }));
  });
});

test.each(["Read", "Sum"])(
  "a message that does not end in time ends its call: %s",
  async (name) => {
    await using book = await openNotebook({}, { stallMs: 50 });
    await using caller = connectRaw(book.server.address);
    const stream = caller.open(`notes.v1.NoteService/${name}`);
    const status = new Promise((resolve) => {
      stream.once("response", (headers) => resolve(headers["grpc-status"]));
    });

    stream.write(framed(new Uint8Array(3), 4));

    expect(await status).toBe(String(Code.Aborted));
    expect(book.finished).toMatchObject([{ reason: "REQUEST_STALLED" }]);
  },
);

describe("a caller who says too much", () => {
  test("still gets an answer that fits into a header block", async () => {
    await using book = await openNotebook();
    const service = `no.${"\u00fc".repeat(100_000)}`;

    const error = await failureOf(client(Health, book.channel).check({ service }));

    expect(error.code).toBe(Code.NotFound);
    expect(reasonOf(error)).toBe("SERVICE_UNKNOWN");
    expect(metadataOf(error)["service"]).toMatch(/^no\.\u00fc+\u2026$/);
  });

  test("in header bytes never gets more than a Java client takes, whatever the letters", async () => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);
    const request = create(Health.method.check.input, { service: "\u{1f600}".repeat(5_000) });
    const ids = { "x-request-id": "r".repeat(128) };

    const bytes = toBinary(Health.method.check.input, request);
    const heard = await caller.call("grpc.health.v1.Health/Check", ids, bytes);

    const size = Object.entries(heard)
      .map(([name, value]) => name.length + String(value).length + 32)
      .reduce((sum, each) => sum + each, 0);
    expect(heard["grpc-status"]).toBe(String(Code.NotFound));
    expect(size).toBeLessThan(8_192);
  });

  test("in many wrong fields is told of them, in very many of the first one", async () => {
    const bindings = [bind(RegistryService, {} as never)];
    await using book = await openNotebook({}, { bindings });
    const registry = client(RegistryService, book.channel);
    const refusal = (wrong: number) =>
      failureOf(registry.listAgents({ capabilities: Array.from({ length: wrong }, () => "") }));

    const [many, tooMany] = [await refusal(1_000), await refusal(40_000)];

    expect(faultsOf(many).length + Number(metadataOf(many)["faults_omitted"])).toBe(1_001);
    expect(faultsOf(tooMany)).toMatchObject([{ field: "capabilities" }]);
    expect(metadataOf(tooMany)).not.toHaveProperty("faults_omitted");
  });
});
