import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type Guard, Rejection, reasonOf } from "../src/index.ts";
import { KnownRequests } from "../src/known-requests.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";
import { NoteSchema, NoteService } from "./notes.ts";

function requestOf(text: string, count = 0, blob = new Uint8Array()): Buffer {
  return Buffer.from(toBinary(NoteSchema, create(NoteSchema, { text, count, blob })));
}

describe("requests that come again and again", () => {
  test("are the same message for the same bytes, and other ones for others", () => {
    const known = new KnownRequests(NoteSchema);

    const first = known.read(requestOf("a", 1));
    const other = known.read(requestOf("a", 2));
    const again = known.read(requestOf("a", 1));

    expect(again).toBe(first);
    expect([first, other]).toMatchObject([{ count: 1 }, { count: 2 }]);
  });

  test("do not change with the memory that they came in", () => {
    const known = new KnownRequests(NoteSchema);
    const bytes = requestOf("a", 1, Uint8Array.of(1, 2, 3));

    known.read(bytes);
    bytes.fill(0);

    expect(known.read(requestOf("a", 1, Uint8Array.of(1, 2, 3)))).toMatchObject({
      blob: Uint8Array.of(1, 2, 3),
    });
  });

  test("are refused each time when they break the contract", () => {
    const known = new KnownRequests(NoteSchema);
    const read = () => known.read(requestOf("a", -1));

    expect(read).toThrow(Rejection);
    expect(read).toThrow(Rejection);
  });

  test("are forgotten after a thousand others, unless they still come", () => {
    const known = new KnownRequests(NoteSchema);
    const rare = known.read(requestOf("rare"));
    const usual = known.read(requestOf("usual"));

    for (let count = 0; count < 1_000; count += 1) {
      known.read(requestOf("other", count));
      known.read(requestOf("usual"));
    }

    expect(known.read(requestOf("usual"))).toBe(usual);
    expect(known.read(requestOf("rare"))).not.toBe(rare);
  });

  test("are not remembered when they are long", () => {
    const known = new KnownRequests(NoteSchema);
    const long = requestOf("", 0, new Uint8Array(512));

    expect(known.read(long)).not.toBe(known.read(long));
  });
});

test("a request that is known is still its caller's to send, or not", async () => {
  const guard: Guard = {
    authenticate: (_method, headers) => ({ kind: "agent", id: headers.get("x-name") ?? "" }),
    authorize(_method, { id }) {
      if (id !== "ann") throw new Rejection("PERMISSION_DENIED", "only ann may");
    },
  };
  const seen = new Set<unknown>();
  const read = (note: object) => {
    seen.add(note);
    return { text: "read" };
  };
  await using book = await openNotebook({ read }, { guard, repeated: [NoteService.method.read] });
  const as = (name: string) => ({ headers: { "x-name": name } });

  await book.notes.read({ text: "a" }, as("ann"));
  await book.notes.read({ text: "a" }, as("ann"));
  const refused = await failureOf(book.notes.read({ text: "a" }, as("bob")));

  expect(seen.size).toBe(1);
  expect(reasonOf(refused)).toBe("PERMISSION_DENIED");
});
