import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePageToken, encodePageToken, pageSize } from "../src/page.ts";
import { Rejection } from "../src/rejection.ts";

const FILTER = { owner: "ann", states: ["OPEN"], since: 5n };

function refusalOf(filter: unknown, token: string, length = 2): Rejection {
  try {
    decodePageToken(filter, token, length);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

describe("the size of a page", () => {
  test.each([
    ["the usual one when none is asked for", 0, undefined, undefined, 50],
    ["what is asked for", 7, undefined, undefined, 7],
    ["never more than the most", 1_001, undefined, undefined, 1_000],
    ["the list's own usual one", 0, 20, undefined, 20],
    ["the list's own most", 30, 20, 25, 25],
    ["the most when the usual one is more", 0, 50, 10, 10],
    ["at least one, whatever is asked for", -3, undefined, undefined, 1],
  ])("is %s", (_, requested, normal, most, size) => {
    expect(pageSize(requested, normal, most)).toBe(size);
  });
});

describe("a page token", () => {
  test("gives back its cursor for the same filter, whatever the cursor holds", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 4 }), (cursor) => {
        const token = encodePageToken(FILTER, cursor);

        expect(token).toMatch(/^[\w-]+$/);
        expect(decodePageToken(FILTER, token, cursor.length)).toEqual(cursor);
      }),
    );
  });

  test("that is empty asks for the first page", () => {
    expect(decodePageToken(FILTER, "", 2)).toBeUndefined();
  });

  test.each([
    ["another filter", { ...FILTER, owner: "bob" }],
    ["a filter with one field less", { owner: "ann", states: ["OPEN"] }],
    ["no filter", undefined],
  ])("of %s is refused", (_, other) => {
    const refusal = refusalOf(other, encodePageToken(FILTER, ["a", "b"]));

    expect(refusal.reason).toBe("INVALID_PAGE_TOKEN");
    expect(refusal.faults).toMatchObject([{ field: "page_token", reason: "INVALID_PAGE_TOKEN" }]);
  });

  test("is the same for a filter whose fields were set in another order", () => {
    const turned = { since: 5n, states: ["OPEN"], owner: "ann" };

    expect(decodePageToken(turned, encodePageToken(FILTER, ["a"]), 1)).toEqual(["a"]);
  });

  test("works for a list without a filter", () => {
    expect(decodePageToken(undefined, encodePageToken(undefined, ["a"]), 1)).toEqual(["a"]);
  });

  test.each([
    ["a cursor of another length", encodePageToken(FILTER, ["a"])],
    ["a word", "next"],
    ["no JSON", Buffer.from("{").toString("base64url")],
    ["no list", Buffer.from('{"0":"a"}').toString("base64url")],
    ["a list of numbers", Buffer.from("[1,2,3]").toString("base64url")],
    ["an empty list", Buffer.from("[]").toString("base64url")],
    ["no text at all", Buffer.from([0xff, 0xfe]).toString("base64url")],
  ])("that is %s is refused", (_, token) => {
    expect(refusalOf(FILTER, token).reason).toBe("INVALID_PAGE_TOKEN");
  });

  test("whose cursor was changed by hand is refused", () => {
    const [mark] = JSON.parse(
      Buffer.from(encodePageToken(FILTER, ["2026-01-01", "t1"]), "base64url").toString(),
    ) as string[];
    const forged = Buffer.from(JSON.stringify([mark, "yesterday", "t1"])).toString("base64url");

    expect(refusalOf(FILTER, forged).reason).toBe("INVALID_PAGE_TOKEN");
  });

  test("cut short or with a letter changed is refused", () => {
    const token = encodePageToken(FILTER, ["2026-01-01T00:00:00.000Z", "task-1"]);
    for (let at = 0; at < token.length; at += 1) {
      const letter = token[at] === "A" ? "B" : "A";
      const changed = token.slice(0, at) + letter + token.slice(at + 1);

      // The last letter holds bits that stand for nothing.
      if (at < token.length - 1) expect(() => refusalOf(FILTER, changed)).not.toThrow();
      if (at > 0) expect(() => refusalOf(FILTER, token.slice(0, at))).not.toThrow();
    }
  });
});
