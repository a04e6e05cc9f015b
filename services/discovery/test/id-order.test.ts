import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IdOrder } from "../src/market/id-order.ts";

function orderOf(ids: readonly string[]): IdOrder {
  const order = new IdOrder();
  order.grow(ids.length);
  order.ids.push(...ids);
  for (const slot of ids.keys()) order.insert(slot);
  return order;
}

function idsOf(order: IdOrder): string[] {
  return Array.from(order.all.walk(), (slot) => order.idOf(slot));
}

function isAscending(order: IdOrder): boolean {
  const labels = Array.from(order.all.walk(), (slot) => order.labels[slot] as number);
  return labels.every((label, rank) => rank === 0 || label > (labels[rank - 1] as number));
}

const shortId = fc.string({
  unit: fc.constantFrom("a", "B", "_", "9"),
  maxLength: 6,
  minLength: 1,
});
const someIds = fc.uniqueArray(shortId, { maxLength: 200 });

describe("the order of ids", () => {
  test("is that of the texts, whoever comes and goes", () => {
    fc.assert(
      fc.property(someIds, fc.nat(), (ids, seed) => {
        const order = orderOf(ids);
        const gone = ids.filter((_, index) => (index * 31 + seed) % 3 === 0);
        for (const id of gone) order.remove(ids.indexOf(id));

        const left = ids.filter((id) => !gone.includes(id));
        expect(idsOf(order)).toEqual([...left].sort());
      }),
    );
  });

  test("is that of the texts when many come at once, and what was sorted by labels stays sorted", () => {
    fc.assert(
      fc.property(someIds, someIds, (ids, more) => {
        const order = orderOf(ids);
        const newcomers = more.filter((id) => !ids.includes(id));
        order.grow(ids.length + newcomers.length);
        order.ids.push(...newcomers);

        order.insertAll(newcomers.map((_, index) => ids.length + index));

        expect(idsOf(order)).toEqual([...ids, ...newcomers].sort());
        expect(isAscending(order)).toBe(true);
      }),
    );
  });

  test.each([
    { rule: "in order", place: (index: number) => `m${10_000 + index}` },
    { rule: "in reverse", place: (index: number) => `m${90_000 - index}` },
    { rule: "always right behind the same one", place: (index: number) => `b${90_000 - index}` },
    { rule: "always right before the same one", place: (index: number) => `y${10_000 + index}` },
  ])("stays when thousands come $rule, and what was sorted by labels stays sorted", ({ place }) => {
    const ids = ["a", "b", "x", "y", "z"];
    for (let index = 0; index < 5_000; index += 1) ids.push(place(index));
    const order = orderOf(ids);

    expect(idsOf(order)).toEqual([...ids].sort());
    expect(isAscending(order)).toBe(true);
  });
});
