import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  callOptions,
  formatPrincipal,
  type Guard,
  metadataOf,
  principalKey,
  Rejection,
  reasonOf,
  requestIdKey,
  traceIdKey,
} from "../src/index.ts";
import { acceptRequestId, acceptTraceId, traceParent } from "../src/trace.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE_PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

/** Lets in who bears "token", as agent:ann; lets her not write of nine. */
const GUARD: Guard = {
  async authenticate(_, headers) {
    if (headers.get("authorization") !== "Bearer token") {
      throw new Rejection("UNAUTHENTICATED", "show a token");
    }
    return { kind: "agent", id: "ann" };
  },
  authorize(method, principal, request) {
    if ((request as unknown as { count: number }).count !== 9) return;
    throw new Rejection("PERMISSION_DENIED", `${principal.id} may not ${method.name} nine`);
  },
};

describe("the ids of a call", () => {
  test.each(["read", "list"] as const)(
    "are taken from its headers and echoed: %s",
    async (name) => {
      await using book = await openNotebook();
      const headers = { "x-request-id": "req-1", traceparent: TRACE_PARENT };
      let echo = new Headers();
      const onHeader = (received: Headers) => {
        echo = received;
      };

      if (name === "read") await book.notes.read({}, { headers, onHeader });
      else for await (const _ of book.notes.list({ count: 1 }, { headers, onHeader }));

      expect(echo.get("x-request-id")).toBe("req-1");
      expect(echo.get("traceparent")).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
      expect(book.finished).toMatchObject([{ requestId: "req-1", traceId: TRACE }]);
    },
  );

  test.each([
    ["absent", undefined, undefined],
    ["unfit for a log", "two words", "00-zz-00-00"],
    ["zero", "", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
  ])("are made when those of the caller are %s", async (_, requestId, traceparent) => {
    await using book = await openNotebook();
    const headers = new Headers();
    if (requestId !== undefined) headers.set("x-request-id", requestId);
    if (traceparent !== undefined) headers.set("traceparent", traceparent);

    await book.notes.read({}, { headers });

    expect(book.finished[0]?.requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(book.finished[0]?.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  });

  test("come back with an error, in its trailers and its details", async () => {
    await using book = await openNotebook({
      read: () => {
        throw new Rejection("NOTE_NOT_FOUND", "no such note");
      },
    });

    const error = await failureOf(
      book.notes.read({}, { headers: { "x-request-id": "req-2", traceparent: TRACE_PARENT } }),
    );

    expect(error.metadata.get("x-request-id")).toBe("req-2");
    expect(error.metadata.get("traceparent")).toContain(TRACE);
    expect(metadataOf(error)["request_id"]).toBe("req-2");
  });

  test("go on with the calls that the handler makes", async () => {
    await using far = await openNotebook();
    await using near = await openNotebook({
      read: (note, ctx) => far.notes.read(note, callOptions(ctx)),
    });

    await near.notes.read({});

    const [{ requestId, traceId } = {}] = near.finished;
    expect(far.finished).toMatchObject([{ requestId, traceId }]);
  });

  test("are known to the handler", async () => {
    const seen: string[] = [];
    await using book = await openNotebook({
      read: (_, { values }) => {
        seen.push(values.get(requestIdKey), values.get(traceIdKey));
        return {};
      },
    });

    await book.notes.read({}, { headers: { "x-request-id": "r", traceparent: TRACE_PARENT } });

    expect(seen).toEqual(["r", TRACE]);
  });
});

describe("an id that is made", () => {
  test("is made once only", () => {
    const ids = Array.from({ length: 5_000 }, () => [
      acceptRequestId(undefined),
      acceptTraceId(undefined),
    ]).flat();
    const parents = Array.from({ length: 5_000 }, () => traceParent(ids[0] ?? ""));

    expect(new Set(ids).size).toBe(10_000);
    expect(new Set(parents).size).toBe(5_000);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
    expect(parents.every((parent) => /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/.test(parent))).toBe(true);
  });
});

describe("headers and trailers", () => {
  test("of the handler reach the caller", async () => {
    await using book = await openNotebook({
      read: (_, ctx) => {
        ctx.responseHeader.set("x-first", ctx.requestHeader.get("x-mine") ?? "");
        ctx.responseTrailer.set("x-last", "z");
        return {};
      },
    });
    const seen: (string | null)[] = [];

    await book.notes.read(
      {},
      {
        headers: { "x-mine": "a" },
        onHeader: (header) => seen.push(header.get("x-first")),
        onTrailer: (trailer) => seen.push(trailer.get("x-last")),
      },
    );

    expect(seen).toEqual(["a", "z"]);
  });
});

describe("the guard", () => {
  test("names the caller to the handler and to the log", async () => {
    let seen = "";
    await using book = await openNotebook(
      {
        read: (_, { values }) => {
          seen = formatPrincipal(values.get(principalKey));
          return {};
        },
      },
      { guard: GUARD, token: async () => "token" },
    );

    await book.notes.read({});

    expect(seen).toBe("agent:ann");
    expect(book.finished).toMatchObject([{ principal: "agent:ann" }]);
  });

  test("refuses a caller before his message is looked at", async () => {
    await using book = await openNotebook({}, { guard: GUARD });

    const error = await failureOf(book.notes.read({ count: -1 }));

    expect(error.code).toBe(Code.Unauthenticated);
    expect(reasonOf(error)).toBe("UNAUTHENTICATED");
    expect(book.finished).toMatchObject([{ code: "unauthenticated", principal: "anonymous" }]);
  });

  test("sees each message of a stream", async () => {
    await using book = await openNotebook({}, { guard: GUARD, token: () => "token" });
    const heard: string[] = [];

    const call = async () => {
      const input = (async function* () {
        yield { text: "a", count: 1 };
        yield { text: "b", count: 9 };
      })();
      for await (const note of book.notes.chat(input)) heard.push(note.text);
    };
    const error = await failureOf(call());

    expect(error).toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: "ann may not Chat nine",
    });
    expect(heard).toEqual(["A"]);
  });

  test("that fails is a bug, not a refusal", async () => {
    const guard = { ...GUARD, authenticate: () => Promise.reject(new Error("no key file")) };
    await using book = await openNotebook({}, { guard });

    const error = await failureOf(book.notes.read({}));

    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
  });
});
