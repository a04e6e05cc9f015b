import { RetryInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { faultsOf, metadataOf, Rejection, reasonOf, retryAfterOf } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";
import { connectRaw } from "./raw-caller.ts";

const BUSY = new Rejection("NOTE_BUSY", "the note is being written", {
  metadata: { note: "n1" },
  faults: [{ field: "notes[0].text", reason: "LOCKED", description: "is locked" }],
  retryAfterMs: 1500,
});

describe("a rejection", () => {
  test("reaches the caller with its code, reason, metadata, faults and delay", async () => {
    await using book = await openNotebook({
      read: () => {
        throw BUSY;
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage: BUSY.message });
    expect(reasonOf(error)).toBe("NOTE_BUSY");
    expect(metadataOf(error)).toEqual({
      note: "n1",
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(faultsOf(error)).toEqual(BUSY.faults);
    expect(retryAfterOf(error)).toBe(1500);
  });

  test.each(["list", "sum", "chat"] as const)("ends a stream as well: %s", async (kind) => {
    async function* refuse() {
      yield { count: 1 };
      throw BUSY;
    }
    await using book = await openNotebook({
      list: refuse,
      chat: refuse,
      sum: () => Promise.reject(BUSY),
    });
    const seen: number[] = [];

    const input = (async function* () {
      yield { count: 1 };
    })();
    const call = async () => {
      if (kind === "sum") return book.notes.sum(input);
      const output = kind === "list" ? book.notes.list({}) : book.notes.chat(input);
      for await (const note of output) seen.push(note.count);
    };
    const error = await failureOf(call());

    expect(reasonOf(error)).toBe("NOTE_BUSY");
    expect(seen).toEqual(kind === "sum" ? [] : [1]);
  });

  test("with a reason that the service does not list is a bug", async () => {
    await using book = await openNotebook({
      read: () => {
        throw new Rejection("NEVER_HEARD", "secret");
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(book.finished[0]?.error).toMatchObject({ reason: "NEVER_HEARD" });
  });

  test("may hold any text, however long", async () => {
    await using book = await openNotebook({
      read: () => {
        throw new Rejection("NOTE_NOT_FOUND", `100 % of \ud800 ünïcode\n${"x".repeat(5000)}`);
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(error.rawMessage).toMatch(/^100 % of \ufffd ünïcode\nx+$/);
    expect(reasonOf(error)).toBe("NOTE_NOT_FOUND");
  });

  test("with more faults than a header holds keeps the first and counts the rest", async () => {
    const faults = Array.from({ length: 1000 }, (_, index) => ({
      field: `notes[${index}].text`,
      reason: "TOO_LONG",
      description: "must have at most ten characters",
    }));
    await using book = await openNotebook({
      read: () => {
        throw new Rejection("INVALID_REQUEST", "too long", { faults });
      },
    });

    const error = await failureOf(book.notes.read({}));

    const kept = faultsOf(error);
    expect(kept.length).toBeGreaterThan(30);
    expect(kept).toEqual(faults.slice(0, kept.length));
    expect(metadataOf(error)).toMatchObject({ faults_omitted: String(1000 - kept.length) });
  });
});

describe("a bug", () => {
  test("is INTERNAL with constant text; its cause goes to onFinished, once", async () => {
    const cause = new TypeError("password is hunter2");
    await using book = await openNotebook({
      read: () => {
        throw cause;
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(reasonOf(error)).toBe("INTERNAL");
    expect(JSON.stringify([error.details, ...error.metadata])).not.toContain("hunter2");
    expect(book.finished).toMatchObject([{ code: "internal", reason: "INTERNAL", error: cause }]);
    expect(book.lateErrors).toEqual([]);
  });

  test("is an answer that does not fit the contract", async () => {
    await using book = await openNotebook({ read: () => ({ count: "many" as never }) });

    const error = await failureOf(book.notes.read({}));

    expect(error.code).toBe(Code.Internal);
    expect(book.finished[0]?.error).toBeInstanceOf(Error);
  });

  test("is another service's refusal that the handler did not translate", async () => {
    await using far = await openNotebook({
      read: () => {
        throw BUSY;
      },
    });
    await using near = await openNotebook({ read: () => far.notes.read({}) });

    const error = await failureOf(near.notes.read({}));

    expect(reasonOf(error)).toBe("INTERNAL");
    expect(reasonOf(near.finished[0]?.error)).toBe("NOTE_BUSY");
  });

  test("is not another service's absence: that is UNAVAILABLE", async () => {
    const far = await openNotebook();
    await far.server.drain();
    await using near = await openNotebook({ read: () => far.notes.write({}) });

    const error = await failureOf(near.notes.write({}).then(() => near.notes.read({})));

    expect(error.code).toBe(Code.Unavailable);
    expect(near.finished.at(-1)?.error).toBeUndefined();
    far.channel.close();
  });
});

describe("what interpret makes of a thrown value", () => {
  const boom = () => {
    throw new Error("boom");
  };

  test("is what the caller is told", async () => {
    const interpret = () => new Rejection("NOTE_BUSY", "the disk is away");
    await using book = await openNotebook({ read: boom }, { interpret });

    expect(reasonOf(await failureOf(book.notes.read({})))).toBe("NOTE_BUSY");
  });

  test("is a bug when it fails itself", async () => {
    const interpret = () => {
      throw new TypeError("no such field");
    };
    await using book = await openNotebook({ read: boom }, { interpret });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(book.finished).toMatchObject([{ error: new TypeError("no such field") }]);
  });
});

describe("a ConnectError made by a handler", () => {
  test("keeps its code and takes the name of it as reason", async () => {
    await using book = await openNotebook({
      read: () => {
        throw new ConnectError("no such page", Code.OutOfRange);
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.OutOfRange, rawMessage: "no such page" });
    expect(reasonOf(error)).toBe("OUT_OF_RANGE");
  });

  test("keeps its delay", async () => {
    await using book = await openNotebook({
      read: () => {
        const error = new ConnectError("full", Code.ResourceExhausted);
        const value = { retryDelay: { seconds: 2n, nanos: 0 } };
        error.details.push({ desc: RetryInfoSchema, value });
        throw error;
      },
    });

    expect(retryAfterOf(await failureOf(book.notes.read({})))).toBe(2_000);
  });
});

describe("an invalid request", () => {
  test("is refused with every violation before the handler sees it", async () => {
    let handled = 0;
    await using book = await openNotebook({
      read: (note) => {
        handled += 1;
        return note;
      },
    });

    const error = await failureOf(book.notes.read({ text: "more than ten", count: -1 }));

    expect(error.code).toBe(Code.InvalidArgument);
    expect(reasonOf(error)).toBe("INVALID_REQUEST");
    expect(faultsOf(error)).toEqual([
      { field: "text", reason: "STRING_MAX_LEN", description: expect.stringMatching(/10/) },
      { field: "count", reason: "INT32_GTE", description: expect.stringMatching(/0/) },
    ]);
    expect(handled).toBe(0);
  });

  test("in a stream ends it even if the handler does not care", async () => {
    await using book = await openNotebook({
      async *chat(notes) {
        try {
          for await (const note of notes) yield note;
        } catch {
          yield { text: "never mind" };
        }
      },
    });
    const heard: string[] = [];

    const call = async () => {
      const input = (async function* () {
        yield { text: "fine" };
        yield { text: "more than ten" };
      })();
      for await (const note of book.notes.chat(input)) heard.push(note.text);
    };
    const error = await failureOf(call());

    expect(reasonOf(error)).toBe("INVALID_REQUEST");
    expect(heard).toEqual(["fine"]);
  });
});

describe("a method that is not there", () => {
  test("is UNIMPLEMENTED when the service leaves it out", async () => {
    await using book = await openNotebook({ read: undefined as never });

    const error = await failureOf(book.notes.read({}));

    expect(error.code).toBe(Code.Unimplemented);
    expect(reasonOf(error)).toBe("UNIMPLEMENTED");
  });

  test("is UNIMPLEMENTED when the server does not know the service, and is reported", async () => {
    await using book = await openNotebook({}, { bindings: [] });

    const error = await failureOf(book.notes.read({}));

    expect(error.code).toBe(Code.Unimplemented);
    expect(reasonOf(error)).toBe("UNIMPLEMENTED");
    expect(book.finished).toMatchObject([
      { method: "notes.v1.NoteService/Read", code: "unimplemented", reason: "UNIMPLEMENTED" },
    ]);
    expect(book.finished[0]?.requestId).toBe(metadataOf(error)["request_id"]);
  });

  test("is reported by no more of its name than fits", async () => {
    await using book = await openNotebook();
    await using caller = connectRaw(book.server.address);

    const heard = await caller.call(`made.up/${"x".repeat(5_000)}`);

    expect(heard["grpc-status"]).toBe("12");
    expect(book.finished).toMatchObject([{ method: `made.up/${"x".repeat(192)}` }]);
  });
});

describe("a message above the limit", () => {
  const big = { blob: new Uint8Array(1500) };

  test.each([
    ["a little", 1500],
    ["far", 1_000_000],
  ])("is refused as a request with MESSAGE_TOO_LARGE: %s", async (_, size) => {
    await using book = await openNotebook({}, { maxMessageBytes: 1000 });

    const error = await failureOf(book.notes.write({ blob: new Uint8Array(size) }));

    expect(error.code).toBe(Code.ResourceExhausted);
    expect(reasonOf(error)).toBe("MESSAGE_TOO_LARGE");
  });

  test("is refused as a response with MESSAGE_TOO_LARGE", async () => {
    await using book = await openNotebook({ read: () => big }, { maxMessageBytes: 1000 });

    const error = await failureOf(book.notes.read({}));

    expect(reasonOf(error)).toBe("MESSAGE_TOO_LARGE");
  });
});

describe("a handler that makes a mess of its refusal", () => {
  test.each([
    ["a fraction", 1.25, 2],
    ["nothing at all", 0, 0],
    ["a negative time", -5, 0],
    ["for ever", Number.POSITIVE_INFINITY, undefined],
    ["no number", Number.NaN, undefined],
  ])("by asking to wait for %s is answered all the same", async (_, retryAfterMs, told) => {
    await using book = await openNotebook({
      read: () => {
        throw new Rejection("NOTE_BUSY", "not now", { retryAfterMs });
      },
    });

    const error = await failureOf(book.notes.read({}));

    expect(reasonOf(error)).toBe("NOTE_BUSY");
    expect(retryAfterOf(error)).toBe(told);
  });

  test.each([
    ["a trailer", "read"],
    ["a header", "read"],
    ["a trailer", "list"],
    ["a header", "list"],
  ] as const)(
    "by %s that gRPC cannot send is a bug that is answered and told: %s",
    async (part, name) => {
      const spoil = (ctx: { responseHeader: Headers; responseTrailer: Headers }) => {
        const headers = part === "a header" ? ctx.responseHeader : ctx.responseTrailer;
        headers.set("x-name", "Zo\u00eb");
      };
      await using book = await openNotebook({
        read: (note, ctx) => {
          spoil(ctx);
          return note;
        },
        async *list(note, ctx) {
          spoil(ctx);
          yield note;
        },
      });

      const call = async () => {
        if (name === "read") await book.notes.read({});
        else for await (const _ of book.notes.list({}));
      };
      const error = await failureOf(call());

      expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
      expect(reasonOf(error)).toBe("INTERNAL");
      expect(book.finished).toMatchObject([{ code: "internal", error: expect.any(Error) }]);
    },
  );
});

describe("a failed outgoing call that is passed on", () => {
  test("tells our caller nothing of addresses and systems behind us", async () => {
    const far = await openNotebook();
    await far[Symbol.asyncDispose]();
    await using gone = await openNotebook({}, { address: far.server.address });
    await using near = await openNotebook({ read: (note) => gone.notes.write(note) });

    const error = await failureOf(near.notes.read({}));

    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe("UNAVAILABLE");
    expect(error.rawMessage).not.toMatch(/127\.0\.0\.1|ECONN|:\d/);
  });

  test("keeps the reason and the delay that the service gave", async () => {
    await using far = await openNotebook({
      write: () => {
        throw new Rejection("SHUTTING_DOWN", "the server is shutting down", { retryAfterMs: 70 });
      },
    });
    await using near = await openNotebook({ write: (note) => far.notes.write(note) });

    const error = await failureOf(near.notes.write({}));

    expect(reasonOf(error)).toBe("SHUTTING_DOWN");
    expect(retryAfterOf(error)).toBe(70);
  });
});
