import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { REPORT_MS } from "../src/availability.ts";
import type { SlotAnswer, SlotClaim } from "../src/availability-store.ts";
import { heardBy, later, type Opened } from "./availability-suite.ts";

/** What holds of slots in every store. */
export function testSlots(open: () => Promise<Opened>): void {
  async function opened(overrides: Partial<SlotClaim> = {}) {
    const { store, other, clock } = await open();
    const claim = (more: Partial<SlotClaim> = {}): SlotClaim => ({
      agentId: "a",
      slotId: randomUUID(),
      now: clock.now(),
      expireAt: later(clock.now(), 60_000),
      maxConcurrent: 2,
      takesWork: true,
      isLeased: false,
      ...overrides,
      ...more,
    });
    const openSlots = async (agentId = "a") =>
      (await other.read([agentId])).get(agentId)?.openSlots ?? 0;
    return { store, other, clock, claim, openSlots };
  }

  test("take places until an agent is full", async () => {
    const { store, other, claim, openSlots } = await opened();

    const first = claim();
    expect(await store.acquireSlot(first)).toEqual({ expireAt: first.expireAt });
    expect(await other.acquireSlot(claim())).toHaveProperty("expireAt");

    expect(await store.acquireSlot(claim())).toBe("FULL");
    expect(await openSlots()).toBe(2);
  });

  test("count beside what the agent reports, until its lease lapses", async () => {
    const { store, clock, claim } = await opened({ isLeased: true });
    const now = clock.now();
    const leaseExpireAt = later(now, 5_000);
    await store.beat({ agentId: "a", now, reported: { inFlight: 1 }, leaseExpireAt });

    expect(await store.acquireSlot(claim())).toHaveProperty("expireAt");
    expect(await store.acquireSlot(claim())).toBe("FULL");
    expect(await store.acquireSlot(claim({ now: leaseExpireAt }))).toBe("NOT_AVAILABLE");
    expect(await store.acquireSlot(claim({ now: leaseExpireAt, isLeased: false }))).toHaveProperty(
      "expireAt",
    );
  });

  test.each([
    { title: "declares that it takes no work", state: { takesWork: false } },
    { title: "has a lease and was not heard of", state: { isLeased: true } },
  ])("are refused at an agent that $title", async ({ state }) => {
    const { store, claim, openSlots } = await opened();

    expect(await store.acquireSlot(claim(state))).toBe("NOT_AVAILABLE");
    expect(await openSlots()).toBe(0);
  });

  test("that are open already stay as they are, whatever has become of the agent", async () => {
    const { store, other, claim, openSlots } = await opened();
    const first = claim();
    await store.acquireSlot(first);
    await store.acquireSlot(claim());

    const again = { ...first, expireAt: later(first.expireAt, 1_000) };
    const gone = { ...again, takesWork: false };

    expect(await other.acquireSlot(again)).toEqual({ expireAt: first.expireAt });
    expect(await other.acquireSlot(gone)).toEqual({ expireAt: first.expireAt });
    expect(await openSlots()).toBe(2);
  });

  test("of a bounded holder are no more than its share, and those of others count for themselves", async () => {
    const { store, other, claim, openSlots } = await opened({ maxConcurrent: 4 });
    const [mine, yours] = ["agent:x", "agent:y"].map((holder) => ({ share: { holder, most: 2 } }));
    const first = claim(mine);
    await store.acquireSlot(first);
    await other.acquireSlot(claim(mine));

    expect(await store.acquireSlot(claim(mine))).toBe("SHARE_TAKEN");
    expect(await store.acquireSlot(first)).toEqual({ expireAt: first.expireAt });
    expect(await store.acquireSlot(claim(yours))).toHaveProperty("expireAt");
    expect(await store.acquireSlot(claim())).toHaveProperty("expireAt");
    expect(await store.acquireSlot(claim(mine))).toBe("FULL");
    expect(await openSlots()).toBe(4);
  });

  test("of a bounded holder that end by themselves leave its share free", async () => {
    const { store, claim } = await opened({ share: { holder: "agent:x", most: 1 } });
    const first = claim();
    await store.acquireSlot(first);

    expect(await store.acquireSlot(claim())).toBe("SHARE_TAKEN");
    expect(await store.acquireSlot(claim({ now: first.expireAt }))).toHaveProperty("expireAt");
  });

  test("of one id at two agents are two slots", async () => {
    const { store, claim, openSlots } = await opened();

    await store.acquireSlot(claim({ slotId: "s" }));
    await store.acquireSlot(claim({ slotId: "s", agentId: "b" }));
    await store.releaseSlot({ agentId: "b", slotId: "s", now: claim().now });

    expect([await openSlots("a"), await openSlots("b")]).toEqual([1, 0]);
  });

  test("that are released give their place to the next, once", async () => {
    const { store, other, claim } = await opened({ maxConcurrent: 1 });
    const first = claim();
    await store.acquireSlot(first);

    const releases = [await other.releaseSlot(first), await store.releaseSlot(first)];

    expect(releases).toEqual([true, false]);
    expect(await store.acquireSlot(claim())).toHaveProperty("expireAt");
    expect(await store.acquireSlot(claim())).toBe("FULL");
  });

  test("end at their time-out, with nobody who asks for another", async () => {
    const { store, clock, claim, openSlots } = await opened({ maxConcurrent: 1 });
    const first = claim();
    await store.acquireSlot(first);

    clock.forward(60_001);
    await vi.waitFor(async () => expect(await openSlots()).toBe(0));

    expect(await store.renewSlot({ ...claim(), slotId: first.slotId })).toBe(false);
    expect(await store.acquireSlot(first)).toHaveProperty("expireAt");
  });

  test("make room in the moment they end", async () => {
    const { store, claim } = await opened({ maxConcurrent: 1 });
    const first = claim();
    await store.acquireSlot(first);

    expect(await store.acquireSlot(claim({ now: first.expireAt }))).toHaveProperty("expireAt");
  });

  test("that are renewed end later, or sooner", async () => {
    const { store, clock, claim, openSlots } = await opened();
    const [long, short] = [claim(), claim()];
    await store.acquireSlot(long);
    await store.acquireSlot(short);
    const now = clock.now();

    expect(await store.renewSlot({ ...long, now, expireAt: later(now, 120_000) })).toBe(true);
    expect(await store.renewSlot({ ...short, now, expireAt: later(now, 1_000) })).toBe(true);

    clock.forward(2_000);
    await vi.waitFor(async () => expect(await openSlots()).toBe(1));
    clock.forward(60_000);
    expect(await store.releaseSlot({ ...long, now: clock.now() })).toBe(true);
  });

  test("are told to watchers when they begin, are released and end by themselves", async () => {
    const { store, other, clock, claim, openSlots } = await opened();
    const heard = heardBy(other);
    const first = claim();

    await store.acquireSlot(first);
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]));
    await store.releaseSlot(first);
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a"]));
    await store.acquireSlot(claim());
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a", "a"]));
    clock.forward(60_001);

    await vi.waitFor(() => expect(heard.ids()).toHaveLength(4));
    expect(await openSlots()).toBe(0);
  });

  test("say when they last changed, released or not", async () => {
    const { store, other, clock, claim } = await opened();
    const [first, second] = [claim(), claim()];
    const changedAt = async () => (await other.read(["a"])).get("a")?.slotsChangedAt;
    expect(await changedAt()).toBeUndefined();

    await store.acquireSlot(first);
    clock.forward(10_000);
    await store.acquireSlot(claim({ maxConcurrent: 1 }));
    await store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });
    const taken = await changedAt();
    await store.releaseSlot({ ...second, now: clock.now() });
    const untouched = await changedAt();
    await store.releaseSlot({ ...first, now: clock.now() });
    const released = await changedAt();

    expect(Math.abs(Number(taken) - Number(first.now))).toBeLessThan(5_000);
    expect(untouched).toEqual(taken);
    expect(Number(released) - Number(taken)).toBeGreaterThanOrEqual(10_000);
  });

  test("take the place of work that an agent without a lease reported long ago", async () => {
    const { store, clock, claim } = await opened({ maxConcurrent: 1 });
    const reported = { inFlight: 1 };
    await store.beat({ agentId: "a", now: clock.now(), reported, leaseExpireAt: undefined });

    expect(await store.acquireSlot(claim())).toBe("FULL");
    clock.forward(REPORT_MS);

    expect(await store.acquireSlot(claim())).toHaveProperty("expireAt");
  });

  test("are forgotten with their agent", async () => {
    const { store, claim, openSlots } = await opened({ maxConcurrent: 1 });
    await store.acquireSlot(claim());

    await store.forget("a");

    expect(await openSlots()).toBe(0);
    expect(await store.acquireSlot(claim())).toHaveProperty("expireAt");
  });

  test("never take the last place twice, however many ask at once", async () => {
    const { store, other, claim, openSlots } = await opened({ maxConcurrent: 7 });

    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) => (n % 2 ? store : other).acquireSlot(claim())),
    );

    expect(answers.filter((answer) => answer !== "FULL")).toHaveLength(7);
    expect(await openSlots()).toBe(7);
  });

  test("keep their count through any sequence of changes", async () => {
    const { store, other, clock, claim } = await opened({ maxConcurrent: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(aStep(), { maxLength: 30 }), async (steps) => {
        const agentId = randomUUID();
        const model = new Map<string, { readonly endMs: number; readonly holder: string }>();
        // Far ahead, so that no slot is due by the clock.
        let now = later(clock.now(), 3_600_000);
        for (const [index, step] of steps.entries()) {
          now = later(now, step.afterMs);
          for (const [id, { endMs }] of model) if (endMs <= now.getTime()) model.delete(id);
          const slot = { agentId, slotId: step.slotId, now };
          const expireAt = later(now, step.lifeMs);
          const through = index % 2 ? store : other;
          const endMs = expireAt.getTime();
          const wasOpen = model.has(step.slotId);
          const { holder } = step;
          if (step.asked === "acquire") {
            const held = [...model.values()].filter((one) => one.holder === holder).length;
            const refusal = model.size >= 3 ? "FULL" : held >= 2 ? "SHARE_TAKEN" : undefined;
            const share = { holder, most: 2 };
            const answer = await through.acquireSlot(claim({ ...slot, expireAt, share }));
            expect(isOpen(answer) ? undefined : answer).toBe(wasOpen ? undefined : refusal);
            if (isOpen(answer) && !wasOpen) model.set(step.slotId, { endMs, holder });
          } else if (step.asked === "renew") {
            expect(await through.renewSlot({ ...slot, expireAt })).toBe(wasOpen);
            const before = model.get(step.slotId);
            if (before !== undefined) model.set(step.slotId, { ...before, endMs });
          } else {
            expect(await through.releaseSlot(slot)).toBe(wasOpen);
            model.delete(step.slotId);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
}

function isOpen(answer: SlotAnswer): boolean {
  return typeof answer === "object";
}

function aStep() {
  return fc.record({
    asked: fc.constantFrom("acquire", "renew", "release"),
    slotId: fc.constantFrom("one", "two", "three", "four"),
    holder: fc.constantFrom("agent:x", "agent:y"),
    afterMs: fc.integer({ min: 0, max: 1_000 }),
    lifeMs: fc.integer({ min: 1, max: 3_000 }),
  });
}
