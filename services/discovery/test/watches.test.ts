import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { lineUp } from "../src/lineup.ts";
import type { Slot } from "../src/market/ordered-set.ts";
import type { ViewOrder } from "../src/market/view.ts";
import type { Seat } from "../src/watch/seat.ts";
import { type Watch, Watches } from "../src/watch/watches.ts";
import {
  aFilter,
  aListing,
  eur,
  idsOf,
  type Looking,
  openMarket,
  someFilter,
  someListings,
} from "./support/listing.ts";

/** Comes before all ids. */
const FIRST = "!";

/** Streams over a market whose lists are written as ids; looks are made by hand. */
function openWatches(looking: Looking = "sifted") {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  const desk = openMarket(looking, { manyMin: 3 });
  const { market } = desk;
  const write = vi.fn((slots: readonly Slot[], _view: unknown, start: string) => {
    return `[${idsOf(market, slots).join(" ")}]${start === FIRST ? "" : start}`;
  });
  const watches = new Watches({
    market,
    write,
    writeTrial: (slot) => market.agents.idOf(slot),
    trials: { take: async () => true },
    random: () => 0,
  });
  // As the service does, which hears of each change of an agent.
  const { put } = desk;
  desk.put = (listing) => {
    const slot = put(listing);
    watches.touch(slot);
    return slot;
  };
  const open = (facts: Partial<Watch> = {}): Seat =>
    watches.open({ filter: aFilter(), order: undefined, count: 2, start: FIRST, ...facts });
  const look = (times = 1): void => {
    for (let nth = 0; nth < times; nth += 1) {
      watches.look();
      // Beside the timer of the looks: that of the lists which took too long for one.
      while (vi.getTimerCount() > 1) vi.advanceTimersByTime(1);
    }
  };
  return { ...desk, write, watches, open, look };
}

/** Asks for the next message. */
function listen(seat: Seat) {
  const heard: { message?: string | undefined } = {};
  void seat.next().then((message) => Object.assign(heard, { message }));
  return heard;
}

describe("a stream", () => {
  test("that is not read is told the latest list only, when it is read again", async () => {
    const { open, put, remove, look } = openWatches();
    for (const agentId of ["a", "b"]) put(aListing({ agentId }));
    const seat = open();
    expect(await seat.next()).toBe("[a b]");
    for (const [gone, agentId] of [
      ["a", "c"],
      ["b", "d"],
    ] as const) {
      remove(gone);
      put(aListing({ agentId }));
      look();
    }

    expect(await seat.next()).toBe("[c d]");
    const heard = listen(seat);
    look();
    await Promise.resolve();
    expect(heard).toEqual({});
  });

  test("whose list is again what it was told is told nothing", async () => {
    const { open, put, look } = openWatches();
    put(aListing({ agentId: "a" }));
    put(aListing({ agentId: "b" }));
    const seat = open();
    expect(await seat.next()).toBe("[a b]");
    const heard = listen(seat);
    put(aListing({ agentId: "a", state: "BUSY", leaseEndMs: Infinity }));
    put(aListing({ agentId: "a" }));
    look();
    await Promise.resolve();

    expect(heard).toEqual({});
  });

  test("whose view was dropped since very many agents changed is told its list once that is made again", async () => {
    const { open, put, look, market } = openWatches("many");
    for (const agentId of ["a", "b", "c", "d", "e"]) put(aListing({ agentId }));
    const seat = await market.finding(() => open({ order: "BY_PRICE" }));
    expect(await seat.next()).toBe("[a b]");
    const heard = listen(seat);

    for (const agentId of ["D", "C", "B", "A"]) put(aListing({ agentId, price: eur(1) }));
    look();
    expect(heard.message).toBeUndefined();

    // The view is made, then its order, in as many turns as that takes.
    await vi.waitFor(() => expect(heard.message).toBe("[A B]"));
  });

  test("that is closed is told so, and leaves nothing behind", async () => {
    const { open, put, look, market, watches } = openWatches();
    put(aListing({ agentId: "a" }));
    const seats = [open(), open({ order: "BY_LOAD" }), open({ filter: aFilter({ states: [] }) })];
    const heard = listen(seats[0] as Seat);
    await Promise.resolve();
    const [, rest] = [heard, listen(seats[0] as Seat)];
    for (const seat of seats) seat.close();
    await vi.waitFor(() => expect(rest).toEqual({ message: undefined }));

    expect(watches.size).toBe(0);
    market.views.clear();
    put(aListing({ agentId: "b" }));
    look();
    expect(market.views.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("streams of the same filter", () => {
  test("that begin at the same place go on together when all but one agent go, and when others come", async () => {
    const { open, put, look, remove } = openWatches();
    for (const agentId of ["a", "b", "c"]) put(aListing({ agentId }));
    const seats = ["a", "a", "a", "b", "b"].map((start) => open({ start, count: 3 }));
    const told = () => Promise.all(seats.map(async (seat) => (await seat.next())?.split("]")[0]));
    expect(await told()).toEqual(["[b c a", "[b c a", "[b c a", "[c a b", "[c a b"]);

    for (const agentId of ["b", "c"]) remove(agentId);
    look();
    expect(await told()).toEqual(seats.map(() => "[a"));
    for (const agentId of ["b", "c", "d"]) put(aListing({ agentId }));
    look();
    expect((await told()).map((ids) => ids?.length)).toEqual(seats.map(() => "[a b c".length));
  });

  test("are told what is written once for all who begin at the same place", async () => {
    const { open, put, look, write } = openWatches();
    put(aListing({ agentId: "a" }));
    const seats = Array.from({ length: 100 }, () => open());
    for (const seat of seats) await seat.next();
    expect(write).toHaveBeenCalledTimes(1);
    const next = seats.map((seat) => seat.next());
    put(aListing({ agentId: "b" }));
    look();

    expect(new Set(await Promise.all(next))).toEqual(new Set(["[a b]"]));
    expect(write).toHaveBeenCalledTimes(2);
  });

  test("cost nothing while nothing changes of what they look at", () => {
    const { open, put, look, write, market } = openWatches();
    const slot = put(aListing({ agentId: "a", price: eur(1) }));
    open({ filter: aFilter({ capabilities: ["python"] }) });
    const view = vi.spyOn(market, "view");
    put(aListing({ agentId: "other", capabilities: ["rust"] }));
    market.picked(slot);
    look(100);

    expect(view).not.toHaveBeenCalled();
    expect(write).toHaveBeenCalledTimes(1);
  });

  test("are all told in the end, however many there are and however little a look may take", async () => {
    const { open, put, look, remove } = openWatches();
    const ids = Array.from({ length: 500 }, (_, nth) => `agent-${nth}`);
    for (const agentId of ids) put(aListing({ agentId }));
    const seats = ids.flatMap((start) =>
      [1, 2, 3].map((count) => open({ start, count: 500 - count })),
    );
    for (const seat of seats) await seat.next();
    const next = seats.map((seat) => seat.next());
    for (const agentId of ids.slice(0, 10)) remove(agentId);
    look();

    expect(await Promise.all(next)).not.toContain(undefined);
  });
});

test("by load agents keep their places until all are ordered anew; who goes is replaced at once", async () => {
  const { open, put, look, remove } = openWatches();
  const load = (agentId: string, inFlight: number) => put(aListing({ agentId, inFlight }));
  for (const [nth, id] of ["a", "b", "c", "d"].entries()) load(id, nth);
  const seat = open({ order: "BY_LOAD", count: 2 });
  expect(await seat.next()).toBe("[a b]");

  load("a", 9);
  const next = seat.next();
  look();
  remove("b");
  look();
  expect(await next).toBe("[a c]");

  const ranked = seat.next();
  look(50);
  expect(await ranked).toBe("[c d]");
});

test("a list is after any changes what a fresh look finds", async () => {
  const orders = fc.constantFrom<ViewOrder | undefined>(
    undefined,
    "BY_PRICE",
    "BY_SURENESS",
    "BY_LATENCY",
  );
  const some = fc.record({
    filter: someFilter,
    order: orders,
    count: fc.integer({ min: 1, max: 5 }),
    start: fc.constantFrom("a", "C", "_9", "zz"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(some, { minLength: 1, maxLength: 4 }),
      fc.array(someListings, { minLength: 1, maxLength: 8 }),
      async (asked, steps) => {
        const { open, settle, look, market, clock } = openWatches();
        const seats = asked.map((watch) => ({ watch, seat: open(watch) }));
        for (const listings of steps) {
          settle(listings);
          clock.nowMs += 400;
          look();
        }

        for (const { watch, seat } of seats) {
          const [ids, start = ""] = (await seat.next())?.slice(1).split("]") ?? [];
          const fresh = lineUp(market, market.whole(watch.filter), { ...watch, start });
          expect(ids).toBe(idsOf(market, fresh).join(" "));
        }
        for (const { seat } of seats) seat.close();
      },
    ),
    { numRuns: 200 },
  );
});
