import { leafHash, merkleRoot } from "@bourse/proof";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { faultOf, type Standing } from "../src/chain-fault.ts";
import { type Batch, batchHash, GENESIS_HASH } from "../src/journal.ts";

const NOON = new Date("2026-11-21T12:00:00.000Z");
const PREVIOUS = { sequence: 6n, hash: GENESIS_HASH };

/** An entry that says `id` at a place. */
function anEntry(id: string, nth: number, writtenAt = NOON): Standing {
  const hash = leafHash(id);
  return { entry: id, nth, writtenAt, told: hash, made: hash };
}

function aBatch(size: number) {
  const entries = Array.from({ length: size }, (_, nth) => anEntry(`m-${nth}`, nth));
  const unsealed = {
    sequence: 7n,
    recordedAt: NOON,
    entries: size,
    root: merkleRoot(entries.map(({ told }) => told)),
  };
  const batch: Batch = { ...unsealed, hash: batchHash(PREVIOUS.hash, unsealed) };
  return { batch, entries };
}

/** As the tables give them: in the order of their places. */
function inOrder(entries: readonly Standing[]): readonly Standing[] {
  return entries.toSorted((a, b) => a.nth - b.nth);
}

/** Gives entries the places in which they stand. */
function renumbered(entries: readonly Standing[]): readonly Standing[] {
  return entries.map((entry, nth) => ({ ...entry, nth }));
}

const sizes = fc.integer({ min: 1, max: 40 });

describe("a batch", () => {
  test("of any size holds as it was written", () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const { batch, entries } = aBatch(size);

        expect(faultOf(PREVIOUS, batch, entries)).toBeUndefined();
      }),
    );
  });

  test("with any one entry changed names it", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, pick) => {
        const { batch, entries } = aBatch(size);
        const nth = pick % size;
        const changed = entries.with(nth, { ...anEntry(`m-${nth}`, nth), made: leafHash("x") });

        expect(faultOf(PREVIOUS, batch, changed)).toMatchObject({
          fault: "ENTRY_CHANGED",
          entry: `m-${nth}`,
        });
      }),
    );
  });

  test("with one entry inserted names it, whether others made place or not", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.boolean(), (size, pick, madePlace) => {
        const { batch, entries } = aBatch(size);
        const nth = pick % (size + 1);
        const alien = anEntry("alien", nth);
        const more = madePlace
          ? renumbered(entries.toSpliced(nth, 0, alien))
          : inOrder([...entries, alien]);

        expect(faultOf(PREVIOUS, batch, more)).toMatchObject({
          fault: "ENTRY_INSERTED",
          entry: "alien",
        });
      }),
    );
  });

  test("with one entry dropped tells its place, or the last when others moved up", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.boolean(), (size, pick, movedUp) => {
        const { batch, entries } = aBatch(size);
        const nth = pick % size;
        const rest = entries.toSpliced(nth, 1);
        const place = movedUp ? size - 1 : nth;

        expect(faultOf(PREVIOUS, batch, movedUp ? renumbered(rest) : rest)).toMatchObject({
          fault: "ENTRY_MISSING",
          detail: expect.stringMatching(`^entry ${place} of ${size} is gone: `),
        });
      }),
    );
  });

  test("with two entries in each other's place names both", () => {
    const pair = fc
      .tuple(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat())
      .map(([size, one, other]) => ({ size, one: one % size, other: other % size }))
      .filter(({ one, other }) => one < other);
    fc.assert(
      fc.property(pair, ({ size, one, other }) => {
        const { batch, entries } = aBatch(size);
        const swapped = entries
          .with(one, anEntry(`m-${other}`, one))
          .with(other, anEntry(`m-${one}`, other));

        expect(faultOf(PREVIOUS, batch, swapped)).toEqual({
          fault: "ENTRY_MISPLACED",
          entry: `m-${other}`,
          detail: `m-${other} and m-${one} stand in each other's place`,
        });
      }),
    );
  });

  test("with an entry of another time in the place of one of its own names it", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, pick) => {
        const { batch, entries } = aBatch(size);
        const nth = pick % size;
        const foreign = anEntry("foreign", nth, new Date(NOON.getTime() + 1));

        expect(faultOf(PREVIOUS, batch, entries.with(nth, foreign))).toMatchObject({
          fault: "ENTRY_MISPLACED",
          entry: "foreign",
        });
      }),
    );
  });

  test("too large to be searched is still found broken", () => {
    const { batch, entries } = aBatch(3_000);
    const swapped = entries.with(0, anEntry("m-2999", 0)).with(2_999, anEntry("m-0", 2_999));

    expect(faultOf(PREVIOUS, batch, swapped)).toMatchObject({ fault: "ROOT_MISMATCH", entry: "" });
  });
});
