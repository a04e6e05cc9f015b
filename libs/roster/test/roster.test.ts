import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { describe, expect, test, vi } from "vitest";
import { type AgentChange, createRoster, type Roster } from "../src/index.ts";
import { type RegistryPeer, startRegistry } from "../src/testing.ts";
import { anAgent } from "./support/agent.ts";

const NOON = new Date("2026-11-01T12:00:00Z");

function follow(registry: RegistryPeer, options: { now?: () => Date } = {}) {
  const changes: AgentChange[] = [];
  const errors: unknown[] = [];
  const roster = createRoster({
    channel: registry.channel,
    now: options.now ?? (() => NOON),
    random: () => 0,
    onChange: (change) => changes.push(change),
    onError: (error) => errors.push(error),
  });
  return { roster, changes, errors };
}

const idsWith = (roster: Roster, capability: string): string[] =>
  Array.from(roster.withCapability(capability), (agent) => agent.agentId).sort();

describe("a roster", () => {
  test("is ready once it holds the whole snapshot", async () => {
    const registry = startRegistry();
    registry.put(anAgent({ agentId: "ada" }));
    registry.put(anAgent({ agentId: "bob" }));

    await using roster = follow(registry).roster;
    expect(roster.isReady()).toBe(false);
    await roster.ready;

    expect(roster.isReady()).toBe(true);
    expect(roster.size).toBe(2);
    expect(roster.get("ada")?.agentId).toBe("ada");
    expect(roster.get("nobody")).toBeUndefined();
  });

  test("follows changes and tells of each what was before", async () => {
    const registry = startRegistry();
    registry.put(anAgent({ agentId: "ada", state: AvailabilityState.ONLINE }));
    const { roster, changes } = follow(registry);
    await using _ = roster;
    await roster.ready;

    registry.put(anAgent({ agentId: "ada", state: AvailabilityState.MAINTENANCE }));

    await vi.waitFor(() => expect(changes).toHaveLength(2));
    expect(changes[0]).toMatchObject({ before: undefined });
    expect(changes[1]).toMatchObject({
      kind: "changed",
      agent: { availability: { state: AvailabilityState.MAINTENANCE } },
      before: { availability: { state: AvailabilityState.ONLINE } },
    });
  });

  test("finds agents by capability, trimmed and in lower case, under every change", async () => {
    const registry = startRegistry();
    registry.put(anAgent({ agentId: "ada", capabilities: ["python", "sql"] }));
    registry.put(anAgent({ agentId: "bob", capabilities: ["python"] }));
    await using roster = follow(registry).roster;
    await roster.ready;
    expect(idsWith(roster, " Python ")).toEqual(["ada", "bob"]);

    registry.put(anAgent({ agentId: "ada", capabilities: ["rust", "sql"] }));
    registry.unregister("bob");

    await vi.waitFor(() => expect(roster.size).toBe(1));
    expect(idsWith(roster, "python")).toEqual([]);
    expect(idsWith(roster, "sql")).toEqual(["ada"]);
    expect(idsWith(roster, "rust")).toEqual(["ada"]);
  });

  test("takes a tombstone off, and takes the agent in again when it comes back", async () => {
    const registry = startRegistry();
    registry.put(anAgent());
    const { roster, changes } = follow(registry);
    await using _ = roster;
    await roster.ready;

    registry.unregister("ada");
    await vi.waitFor(() => expect(roster.get("ada")).toBeUndefined());
    registry.put(anAgent());
    await vi.waitFor(() => expect(roster.get("ada")).toBeDefined());

    expect(changes.map((change) => change.kind)).toEqual(["changed", "removed", "changed"]);
  });

  test("answers with the last known state while the registry is away", async () => {
    const registry = startRegistry();
    registry.put(anAgent());
    const { roster, errors } = follow(registry);
    await using _ = roster;
    await roster.ready;

    registry.cutSnapshotsAfter(0);
    registry.put(anAgent({ agentId: "bob" }));
    await vi.waitFor(() => expect(roster.size).toBe(2));
    registry.cut();

    await vi.waitFor(() => expect(roster.isCurrent()).toBe(false));
    expect(roster.isReady()).toBe(true);
    expect(roster.size).toBe(2);
    expect(errors).not.toHaveLength(0);
  });

  test("resumes a lost stream from the newest token, and misses nothing", async () => {
    const registry = startRegistry();
    registry.put(anAgent({ agentId: "ada" }));
    registry.put(anAgent({ agentId: "bob" }));
    await using roster = follow(registry).roster;
    await roster.ready;

    registry.cut();
    registry.unregister("ada");
    registry.put(anAgent({ agentId: "cyd" }));

    await vi.waitFor(() => expect(roster.get("cyd")).toBeDefined());
    expect(roster.get("ada")).toBeUndefined();
    expect(roster.get("bob")).toBeDefined();
    expect(registry.opened).toHaveLength(2);
    expect(registry.opened[0]).toBe("");
    expect(registry.opened[1]).not.toBe("");
  });

  test("begins again when the stream breaks within the first snapshot", async () => {
    const registry = startRegistry();
    for (const agentId of ["ada", "bob", "cyd"]) registry.put(anAgent({ agentId }));
    registry.cutSnapshotsAfter(2);
    const { roster } = follow(registry);
    await using _ = roster;
    await vi.waitFor(() => expect(registry.opened.length).toBeGreaterThan(1));
    expect(roster.isReady()).toBe(false);

    registry.unregister("ada");
    registry.cutSnapshotsAfter(undefined);
    await roster.ready;

    expect(new Set(registry.opened)).toEqual(new Set([""]));
    expect([...roster.agents()].map((agent) => agent.agentId)).toEqual(["bob", "cyd"]);
  });

  test("waits longer each time that a stream breaks before it is complete", async () => {
    const registry = startRegistry();
    for (const agentId of ["ada", "bob", "cyd"]) registry.put(anAgent({ agentId }));
    registry.cutSnapshotsAfter(2);
    const startedMs = performance.now();
    await using _ = follow(registry).roster;

    await vi.waitFor(() => expect(registry.opened).toHaveLength(5));

    // 50 + 100 + 200 + 400 ms, though each stream had said something.
    expect(performance.now() - startedMs).toBeGreaterThan(700);
  });

  test("starts anew when its token is refused, and drops those the registry no longer knows", async () => {
    const registry = startRegistry();
    registry.put(anAgent({ agentId: "ada" }));
    registry.put(anAgent({ agentId: "bob" }));
    const { roster, changes } = follow(registry);
    await using _ = roster;
    await roster.ready;

    registry.replaceDatabase();
    registry.put(anAgent({ agentId: "bob", capabilities: ["rust"] }));
    registry.cut();

    await vi.waitFor(() => expect(roster.get("ada")).toBeUndefined());
    expect(idsWith(roster, "rust")).toEqual(["bob"]);
    expect(idsWith(roster, "python")).toEqual([]);
    expect(registry.opened.at(-1)).toBe("");
    expect(changes.at(-1)).toMatchObject({ kind: "removed", agent: { agentId: "ada" } });
  });

  test("learns newer tokens from idle messages", async () => {
    const registry = startRegistry();
    await using roster = follow(registry).roster;
    await roster.ready;
    registry.put(anAgent());
    registry.put(anAgent());
    registry.idle();
    await vi.waitFor(() => expect(roster.size).toBe(1));

    registry.cut();

    await vi.waitFor(() => expect(registry.opened).toHaveLength(2));
    expect(registry.opened[1]).toBe("1.2");
  });

  test("ends its stream when it is closed, and is never ready after that", async () => {
    const registry = startRegistry();
    registry.cutSnapshotsAfter(0);
    registry.put(anAgent());
    const early = follow(registry).roster;
    await early[Symbol.asyncDispose]();
    await expect(early.ready).rejects.toThrow("was closed");

    registry.cutSnapshotsAfter(undefined);
    const { roster } = follow(registry);
    await roster.ready;
    await roster[Symbol.asyncDispose]();

    await vi.waitFor(() => expect(registry.openStreams()).toBe(0));
    expect(roster.isCurrent()).toBe(false);
  });

  test("goes on when a listener throws, and tells no listener that has left", async () => {
    const registry = startRegistry();
    const { roster, errors } = follow(registry);
    await using _ = roster;
    await roster.ready;
    const heard: string[] = [];
    const leave = roster.subscribe((change) => heard.push(change.agent.agentId));
    roster.subscribe(() => {
      throw new Error("listener");
    });

    registry.put(anAgent({ agentId: "ada" }));
    await vi.waitFor(() => expect(roster.size).toBe(1));
    leave();
    registry.put(anAgent({ agentId: "bob" }));
    await vi.waitFor(() => expect(roster.size).toBe(2));

    expect(heard).toEqual(["ada"]);
    expect(errors).toEqual([new Error("listener"), new Error("listener")]);
  });
});

describe("a lease", () => {
  test("makes its agent OFFLINE at the moment it lapses, for every way of reading", async () => {
    const registry = startRegistry();
    const clock = { now: NOON };
    registry.put(anAgent({ leaseExpires: new Date(NOON.getTime() + 10_000) }));
    await using roster = follow(registry, { now: () => clock.now }).roster;
    await roster.ready;

    clock.now = new Date(NOON.getTime() + 9_999);
    expect(roster.get("ada")?.availability?.state).toBe(AvailabilityState.ONLINE);
    clock.now = new Date(NOON.getTime() + 10_000);

    const views = [roster.get("ada"), ...roster.agents(), ...roster.withCapability("python")];
    const states = views.map((agent) => agent?.availability?.state);
    expect(states).toEqual(Array(3).fill(AvailabilityState.OFFLINE));
    expect(roster.get("ada")?.availability?.declaredState).toBe(AvailabilityState.ONLINE);
  });

  test("holds again when the clock is set back", async () => {
    const registry = startRegistry();
    const clock = { now: new Date(NOON.getTime() + 1) };
    registry.put(anAgent({ leaseExpires: NOON }));
    await using roster = follow(registry, { now: () => clock.now }).roster;
    await roster.ready;
    expect(roster.get("ada")?.availability?.state).toBe(AvailabilityState.OFFLINE);
    expect(roster.get("ada")).toBe(roster.get("ada"));

    clock.now = new Date(NOON.getTime() - 1);

    expect(roster.get("ada")?.availability?.state).toBe(AvailabilityState.ONLINE);
  });

  test("brings its agent back when it is renewed", async () => {
    const registry = startRegistry();
    const clock = { now: NOON };
    registry.put(anAgent({ leaseExpires: NOON }));
    await using roster = follow(registry, { now: () => clock.now }).roster;
    await roster.ready;
    expect(roster.get("ada")?.availability?.state).toBe(AvailabilityState.OFFLINE);

    registry.put(anAgent({ leaseExpires: new Date(NOON.getTime() + 1) }));

    await vi.waitFor(() =>
      expect(roster.get("ada")?.availability?.state).toBe(AvailabilityState.ONLINE),
    );
  });
});

describe("the time since the registry was last heard", () => {
  test("makes a roster not current when the registry says nothing for long, its stream open", async () => {
    const registry = startRegistry();
    const clock = { now: NOON };
    await using roster = follow(registry, { now: () => clock.now }).roster;
    await roster.ready;
    expect(roster.isCurrent()).toBe(true);

    clock.now = new Date(NOON.getTime() + 60_000);
    expect(roster.isCurrent()).toBe(false);
    registry.idle();

    await vi.waitFor(() => expect(roster.isCurrent()).toBe(true));
  });

  test("is endless before the first message and counts from the newest", async () => {
    const registry = startRegistry();
    const clock = { now: NOON };
    await using roster = follow(registry, { now: () => clock.now }).roster;
    expect(roster.lagMs()).toBe(Infinity);

    await roster.ready;
    clock.now = new Date(NOON.getTime() + 1_500);

    expect(roster.lagMs()).toBe(1_500);
  });
});
