import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../src/words.ts";

describe("words", () => {
  test.each([
    { rule: "have no case", text: "Übersetzt RECHNUNGEN", same: "übersetzt rechnungen" },
    {
      rule: "end at what is no letter and no digit",
      text: "code.review:C++",
      same: "code review c",
    },
    { rule: "count once", text: "tax and tax", same: "tax and" },
    { rule: "are the same however they are composed", text: "cafe\u0301", same: "caf\u00e9" },
    { rule: "of other scripts are words", text: "翻訳 отчёт", same: "отчёт 翻訳" },
    {
      rule: "of a length without end count by their beginning",
      text: "x".repeat(50),
      same: "x".repeat(45),
    },
  ])("$rule", ({ text, same }) => {
    expect(new Set(wordsOf([text]))).toEqual(new Set(wordsOf([same])));
  });

  test("differ in their numbers", () => {
    const all = Array.from({ length: 20_000 }, (_, nth) => `word${nth}`);

    expect(new Set(all.flatMap((word) => wordsOf([word]))).size).toBe(20_000);
  });

  test("are no more than 128 of an agent, the first ones", () => {
    const many = Array.from({ length: 500 }, (_, nth) => `w${nth}`);

    expect(wordsOf(many)).toEqual(wordsOf(many.slice(0, 128)));
  });

  test("of plain text are what any text would make of them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii", maxLength: 200 }), (text) => {
        const found = wordsOf([`${text} \u00e9`]);

        expect(found).toEqual([...wordsOf([text]), ...wordsOf(["\u00e9"])]);
      }),
    );
  });
});
