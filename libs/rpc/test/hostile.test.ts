import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Health } from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { bind, client, faultsOf, metadataOf, reasonOf } from "../src/index.ts";
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
