import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { encoded, encodedAll } from "../src/index.ts";
import { openNotebook } from "./notebook.ts";
import { type Note, NoteSchema } from "./notes.ts";

describe("a call", () => {
  test("unary: answers with the handler's message", async () => {
    await using book = await openNotebook();

    const answer = await book.notes.read({ text: "hello", blob: new Uint8Array([1, 2]) });

    expect(answer.text).toBe("hello");
    expect(answer.blob).toEqual(new Uint8Array([1, 2]));
  });

  test.each(["read", "list"] as const)(
    "%s: sends an answer that is encoded already as it is",
    async (method) => {
      const bytes = toBinary(NoteSchema, create(NoteSchema, { text: "as stored", count: 3 }));
      const answer = encoded(NoteSchema, bytes);
      await using book = await openNotebook({
        read: async () => answer,
        async *list() {
          yield answer;
        },
      });

      const got: Note[] = [];
      if (method === "read") got.push(await book.notes.read({}));
      else for await (const note of book.notes.list({})) got.push(note);

      expect(got).toEqual([create(NoteSchema, { text: "as stored", count: 3 })]);
    },
  );

  test("server streaming: messages that are yielded at once arrive one by one", async () => {
    const bytes = (count: number) => toBinary(NoteSchema, create(NoteSchema, { count }));
    await using book = await openNotebook({
      async *list() {
        yield encodedAll(NoteSchema, [bytes(0), bytes(1)]);
        yield { count: 2 };
        yield encodedAll(NoteSchema, [bytes(3)]);
      },
    });

    const counts: number[] = [];
    for await (const note of book.notes.list({})) counts.push(note.count);

    expect(counts).toEqual([0, 1, 2, 3]);
  });

  test("server streaming: gives every message in order", async () => {
    await using book = await openNotebook();

    const counts: number[] = [];
    for await (const note of book.notes.list({ count: 100 })) counts.push(note.count);

    expect(counts).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test("client streaming: the handler sees every message", async () => {
    await using book = await openNotebook();

    const answer = await book.notes.sum(
      (async function* () {
        for (let count = 0; count < 100; count += 1) yield { count };
      })(),
    );

    expect(answer.count).toBe(4950);
  });

  test("bidi streaming: a message is answered before the next is sent", async () => {
    await using book = await openNotebook();
    const heard: string[] = [];
    let answered = Promise.withResolvers<void>();

    const answers = book.notes.chat(
      (async function* () {
        yield { text: "one" };
        await answered.promise;
        yield { text: "two" };
      })(),
    );
    for await (const note of answers) {
      heard.push(note.text);
      answered.resolve();
      answered = Promise.withResolvers<void>();
    }

    expect(heard).toEqual(["ONE", "TWO"]);
  });

  test("a handler may answer before it has read all that the caller sends", async () => {
    await using book = await openNotebook({ sum: async () => ({ count: 7 }) });

    const answer = await book.notes.sum(
      (async function* () {
        yield { count: 1 };
      })(),
    );

    expect(answer.count).toBe(7);
  });
});
