import { expect, test, vi } from "vitest";
import { BACKOFF_MS, type BreakerEvent, phaseOf, REMEMBERED_MS } from "../src/breaker.ts";
import type { BreakerStore } from "../src/breaker-store.ts";
import type { OpenedStore } from "./stores.ts";

export type OpenedBreakers = OpenedStore<BreakerStore>;

/** So many failures that one reporter tells of. */
export function failures(count: number, id = "service:auction"): BreakerEvent[] {
  const standing = id.startsWith("service") ? "trusted" : "customer";
  const reporter = { id, standing } as const;
  return Array.from({ length: count }, () => ({ kind: "failure", reporter, reportId: "" }));
}

/** The breakers of an agent that are not closed. */
export function phases(store: BreakerStore, agentId: string, clock: OpenedBreakers["clock"]) {
  const nowMs = clock.now().getTime();
  return Object.fromEntries(
    store
      .known(agentId)
      .map(({ capability, breaker }) => [capability, phaseOf(breaker, nowMs)] as const),
  );
}

/** What holds for breakers wherever they are kept. */
export function testBreakers(open: () => Promise<OpenedBreakers>): void {
  test("open by what any replica was told, and every replica knows it", async () => {
    const { store, other, clock } = await open();
    await store.change("a", "python", failures(3));
    const { before, after } = await other.change("a", "python", failures(2));

    expect(before?.opening).toBeUndefined();
    expect(phaseOf(after, clock.now().getTime())).toBe("OPEN");
    expect(phases(other, "a", clock)).toEqual({ python: "OPEN" });
    await vi.waitFor(() => expect(phases(store, "a", clock)).toEqual({ python: "OPEN" }));
  });

  test("are of one agent and one capability", async () => {
    const { store, clock } = await open();
    await store.change("a", "python", failures(5));
    await store.change("a", "go", failures(4));
    await store.change("b", "python", failures(4));

    expect(phases(store, "a", clock)).toEqual({ python: "OPEN" });
    expect(phases(store, "b", clock)).toEqual({});
    expect(store.counts()).toMatchObject({ OPEN: 1, HALF_OPEN: 0 });
    expect(store.all()).toMatchObject([{ agentId: "a", capability: "python" }]);
    expect(await store.list("a")).toEqual(["go", "python"]);
  });

  test("lose no report of 20 at once", async () => {
    const { store, other, clock } = await open();
    const tell = (n: number) => (n % 2 ? store : other).change("a", "x", failures(1, `agent:${n}`));

    await Promise.all(Array.from({ length: 4 }, (_, n) => tell(n)));
    const four = phases(store, "a", clock);
    await Promise.all(Array.from({ length: 16 }, (_, n) => tell(n)));

    expect(four).toEqual({});
    await vi.waitFor(() => expect(phases(store, "a", clock)).toEqual({ x: "OPEN" }));
  });

  test("grant 3 probes among all replicas", async () => {
    const { store, other, clock } = await open();
    await store.change("a", "x", failures(5));
    clock.forward(BACKOFF_MS);

    const probes = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 ? store : other).change("a", "x", [{ kind: "probe" }]),
      ),
    );

    expect(probes.filter(({ taken }) => taken[0])).toHaveLength(3);
  });

  test("tell every replica when they open, become half open and close", async () => {
    const { store, other, clock } = await open();
    const heard: string[] = [];
    other.subscribe((agentIds) => {
      heard.push(...agentIds.map((agentId) => JSON.stringify(phases(other, agentId, clock))));
    });

    await store.change("a", "x", failures(5));
    await vi.waitFor(() => expect(heard).toEqual(['{"x":"OPEN"}']));
    clock.forward(BACKOFF_MS);
    await vi.waitFor(() => expect(heard.at(-1)).toBe('{"x":"HALF_OPEN"}'));
    await store.change("a", "x", [{ kind: "reset" }]);

    await vi.waitFor(() => expect(heard.at(-1)).toBe("{}"));
  });

  test("tell nobody of what is no news", async () => {
    const { store, clock } = await open();
    const heard: string[] = [];
    store.subscribe((agentIds) => heard.push(...agentIds));
    await store.change("quiet", "x", failures(4));
    await store.change("loud", "x", failures(5));
    clock.forward(BACKOFF_MS);
    await vi.waitFor(() => expect(heard).toEqual(["loud", "loud"]));
    await store.change("loud", "x", [{ kind: "probe" }]);
    await store.change("end", "x", failures(5));

    await vi.waitFor(() => expect(heard).toEqual(["loud", "loud", "end"]));
  });

  test("are closed an hour after they became half open", async () => {
    const { store, clock } = await open();
    const heard: string[] = [];
    await store.change("a", "x", failures(5));
    store.subscribe((agentIds) => heard.push(...agentIds));

    clock.forward(BACKOFF_MS + REMEMBERED_MS);

    expect(phases(store, "a", clock)).toEqual({});
    expect(store.all()).toEqual([]);
    await vi.waitFor(() => expect(heard).toEqual(["a"]));
  });

  test("name those that changed to who was away", async () => {
    const { store, other, clock } = await open();
    await store.change("a", "x", failures(5));
    await store.change("a", "x", [{ kind: "reset" }]);

    expect(await other.changedSince(clock.now())).toContain("a");
    clock.forward(2 * REMEMBERED_MS);
    await vi.waitFor(async () => expect(await other.changedSince(clock.now())).toEqual([]));
  });

  test("forget an agent", async () => {
    const { store, clock } = await open();
    await store.change("a", "x", failures(5));

    await store.forget("a");

    expect(phases(store, "a", clock)).toEqual({});
    expect(await store.list("a")).toEqual([]);
  });
}
