import { AgentSchema, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test, vi } from "vitest";
import { createRoster, type Roster, type RosterOptions } from "../src/index.ts";
import { type RegistryPeer, startRegistry } from "../src/testing.ts";
import { type AgentFacts, anAgent } from "./support/agent.ts";

const { ONLINE, OFFLINE, BUSY } = AvailabilityState;
const NOON_MS = Date.parse("2026-11-01T12:00:00Z");
const at = (seconds: number) => new Date(NOON_MS + seconds * 1_000);

/** An agent that was heard of at noon and has a lease of a minute. */
function leased(facts: AgentFacts = {}) {
  return anAgent({ heard: at(0), leaseExpires: at(60), leaseSeconds: 60, ...facts });
}

type Agents = readonly Parameters<RegistryPeer["put"]>[0][];

/** A roster that knows some agents. */
function aRoster(...agents: Agents) {
  return aRosterWith(undefined, ...agents);
}

/** The same, which takes its registry for away when that is silent for so long. */
async function aRosterWith(patience: RosterOptions["patience"], ...agents: Agents) {
  const registry = startRegistry();
  for (const agent of agents) registry.put(agent);
  const clock = { now: at(0) };
  const roster = createRoster({
    channel: registry.channel,
    now: () => clock.now,
    random: () => 0,
    ...(patience !== undefined && { patience }),
  });
  await roster.ready;
  const isStale = () => roster.staleSinceMs() !== undefined;
  return {
    clock,
    registry,
    roster,
    isStale,
    /** Says that the store of leases is away since then, or back, and waits until that was heard. */
    async lose(since: Date | undefined) {
      registry.lose(since);
      await vi.waitFor(() => expect(isStale()).toBe(since !== undefined));
    },
  };
}

/** The availability of an agent for every way of reading. */
function readings(roster: Roster, agentId = "ada") {
  const message = roster.messageAt(roster.slotOf(agentId) ?? -1);
  const agents = [...roster.agents(), ...roster.withCapability("python")];
  return [
    roster.get(agentId),
    ...agents.filter((agent) => agent.agentId === agentId),
    fromBinary(AgentSchema, Buffer.from(message, "latin1")),
  ].map((agent) => agent?.availability);
}

const all = (facts: object) => Array(4).fill(expect.objectContaining(facts));

describe("while the registry's store of leases is away", () => {
  test("a lease that held when it was lost holds, and every agent is stale", async () => {
    const { roster, clock, lose } = await aRoster(leased(), anAgent({ agentId: "bob" }));
    await using _ = roster;

    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: false }));
    await lose(at(59));
    clock.now = at(3_600);

    expect(roster.staleSinceMs()).toBe(at(59).getTime());
    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: true }));
    expect(readings(roster, "bob")).toEqual(all({ state: ONLINE, stale: true }));
  });

  test("a lease that has lapsed since it was lost holds again", async () => {
    const { roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    clock.now = at(61);
    expect(readings(roster)).toEqual(all({ state: OFFLINE }));

    await lose(at(59));

    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: true }));
  });

  test("a lease that had lapsed when it was lost stays so, then and after its return", async () => {
    const { roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    clock.now = at(70);

    await lose(at(60));
    const away = readings(roster);
    await lose(undefined);

    expect(away).toEqual(all({ state: OFFLINE, stale: true }));
    expect(readings(roster)).toEqual(all({ state: OFFLINE, stale: false }));
  });

  test("what is told of an agent is taken in, and its lease stands still too", async () => {
    const { registry, roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    await lose(at(59));
    clock.now = at(3_600);

    registry.put(leased({ state: BUSY, inFlight: 2, isStale: true }));
    registry.put(leased({ agentId: "cyd", isStale: true }));

    await vi.waitFor(() => expect(roster.size).toBe(2));
    expect(readings(roster)).toEqual(all({ state: BUSY, inFlight: 2, stale: true }));
    expect(readings(roster, "cyd")).toEqual(all({ state: ONLINE, stale: true }));
    await lose(undefined);
    expect(readings(roster, "cyd")).toEqual(all({ state: ONLINE, stale: false }));
  });

  test.each([
    { who: "knows no lease", facts: { heard: at(0) } },
    { who: "had heard less", facts: { heard: at(-30), leaseExpires: at(30) } },
  ])("a replica of the registry that $who does not undo what is known", async ({ facts }) => {
    const { registry, roster, lose } = await aRoster(leased({ inFlight: 1 }));
    await using _ = roster;
    await lose(at(10));

    for (const capability of ["rust", "sql"]) {
      const capabilities = ["python", capability];
      const told = { capabilities, state: OFFLINE, leaseSeconds: 60, isStale: true, ...facts };
      registry.put(anAgent(told));
      await vi.waitFor(() => expect([...roster.withCapability(capability)]).toHaveLength(1));
    }

    expect(readings(roster)).toEqual(all({ state: ONLINE, inFlight: 1, stale: true }));
    await lose(undefined);
    expect(readings(roster)).toEqual(all({ state: ONLINE, inFlight: 1, stale: false }));
  });

  test("whoever begins to follow learns of it before the snapshot is complete", async () => {
    const registry = startRegistry();
    registry.put(leased());
    registry.lose(at(59));
    const clock = { now: at(3_600) };

    await using roster = createRoster({ channel: registry.channel, now: () => clock.now });
    await roster.ready;

    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: true }));
  });

  test("a stream that is lost and resumed changes nothing, and the earliest time counts", async () => {
    const { registry, roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    await lose(at(59));
    clock.now = at(3_600);

    registry.cut();
    await vi.waitFor(() => expect(roster.isCurrent()).toBe(false));
    const cut = readings(roster);
    registry.lose(at(65));
    await vi.waitFor(() => expect(roster.isCurrent()).toBe(true));

    expect(cut).toEqual(all({ state: ONLINE, stale: true }));
    expect(roster.staleSinceMs()).toBe(at(59).getTime());
    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: true }));
  });
});

describe("once the registry's store of leases is back", () => {
  test("a lease that held holds for its length, and then lapses unless it is renewed", async () => {
    const agents = ["ada", "bob"].map((agentId) => leased({ agentId }));
    const { registry, roster, clock, lose } = await aRoster(...agents);
    await using _ = roster;
    await lose(at(10));
    clock.now = at(3_600);

    await lose(undefined);
    registry.put(leased({ agentId: "bob", heard: at(3_620), leaseExpires: at(3_680) }));
    await vi.waitFor(() => {
      expect(roster.leaseEndMs(roster.slotOf("bob") ?? -1)).toBe(at(3_680).getTime());
    });
    clock.now = new Date(at(3_660).getTime() - 1);
    const held = readings(roster);
    clock.now = at(3_660);

    expect(held).toEqual(all({ state: ONLINE, stale: false }));
    expect(readings(roster)).toEqual(all({ state: OFFLINE, stale: false }));
    expect(readings(roster, "bob")).toEqual(all({ state: ONLINE, stale: false }));
  });

  test("what was told before it was lost and comes only now is held as well", async () => {
    const { registry, roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    await lose(at(10));
    clock.now = at(3_600);
    await lose(undefined);

    registry.put(leased({ capabilities: ["python", "rust"] }));
    await vi.waitFor(() => expect([...roster.withCapability("rust")]).toHaveLength(1));

    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: false }));
    expect(roster.leaseEndMs(roster.slotOf("ada") ?? -1)).toBe(at(3_660).getTime());
  });

  test("a lease of which a registry that began anew knows nothing ends as it would have, by all outages", async () => {
    const { registry, roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    for (const seconds of [10, 100]) {
      await lose(at(seconds));
      clock.now = at(seconds + 80);
      await lose(undefined);
    }

    const unknown = { state: OFFLINE, leaseSeconds: 60, heard: at(0) };
    registry.put(anAgent({ ...unknown, capabilities: ["python", "rust"] }));
    await vi.waitFor(() => expect([...roster.withCapability("rust")]).toHaveLength(1));
    clock.now = new Date(at(240).getTime() - 1);
    const held = readings(roster);
    clock.now = at(240);
    const lapsed = readings(roster);
    registry.put(anAgent({ ...unknown, capabilities: ["python", "sql"], inFlight: 1 }));
    await vi.waitFor(() => expect([...roster.withCapability("sql")]).toHaveLength(1));

    expect(held).toEqual(all({ state: ONLINE }));
    expect(lapsed).toEqual(all({ state: OFFLINE, inFlight: 0 }));
    // It is not held any more, so what is told of it counts.
    expect(readings(roster)).toEqual(all({ state: OFFLINE, inFlight: 1 }));
  });

  test("an agent that asks for its first lease is what the registry says, heard of since or not", async () => {
    const { registry, roster } = await aRoster(anAgent({ heard: at(0) }));
    await using _ = roster;

    registry.put(anAgent({ heard: at(-10), leaseSeconds: 60, state: OFFLINE }));

    await vi.waitFor(() => expect(readings(roster)).toEqual(all({ state: OFFLINE })));
  });

  test("an agent of which the registry says that it is OFFLINE is so at once", async () => {
    const { registry, roster, clock, lose } = await aRoster(leased());
    await using _ = roster;
    await lose(at(10));
    clock.now = at(3_600);
    await lose(undefined);

    registry.put(leased({ state: OFFLINE }));

    await vi.waitFor(() => expect(readings(roster)).toEqual(all({ state: OFFLINE })));
  });

  test("listeners are told when that begins and ends, until they leave", async () => {
    const { registry, roster, lose } = await aRoster();
    await using _ = roster;
    const heard: (number | undefined)[] = [];
    const leave = roster.subscribeStale(() => heard.push(roster.staleSinceMs()));

    await lose(at(10));
    registry.idle();
    await lose(undefined);
    leave();
    await lose(at(20));

    expect(heard).toEqual([at(10).getTime(), undefined]);
  });
});

const LOST = { everyMs: 20, lostMs: 100, silentMs: Infinity };

describe("while the registry itself is away", () => {
  test("a lease that held when it was last heard holds, and every agent is stale", async () => {
    const { registry, roster, clock, isStale } = await aRosterWith(LOST, leased());
    await using _ = roster;

    registry.setAway(true);
    clock.now = at(3_600);

    await vi.waitFor(() => expect(isStale()).toBe(true));
    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: true }));
  });

  test("also one that answers nothing, its stream open", async () => {
    const patience = { everyMs: 20, lostMs: 100, silentMs: 200 };
    const { registry, roster, isStale } = await aRosterWith(patience, leased());
    await using _ = roster;

    await vi.waitFor(() => expect(isStale()).toBe(true));
    expect(registry.openStreams()).toBe(1);
    registry.idle();

    await vi.waitFor(() => expect(isStale()).toBe(false));
  });

  test("a lease that had lapsed before stays so, then and afterwards", async () => {
    const { registry, roster, clock, isStale } = await aRosterWith(LOST, leased());
    await using _ = roster;
    clock.now = at(60);
    registry.put(anAgent({ agentId: "bob" }));
    await vi.waitFor(() => expect(roster.size).toBe(2));

    registry.setAway(true);
    await vi.waitFor(() => expect(isStale()).toBe(true));
    const away = readings(roster);
    registry.setAway(false);
    await vi.waitFor(() => expect(isStale()).toBe(false));

    expect(away).toEqual(all({ state: OFFLINE, stale: true }));
    expect(readings(roster)).toEqual(all({ state: OFFLINE, stale: false }));
  });

  test("a stream that is opened anew at once is no such case, nor is the end of following", async () => {
    const patience = { everyMs: 20, lostMs: 3_000, silentMs: Infinity };
    const { registry, roster } = await aRosterWith(patience, leased());
    let told = 0;
    roster.subscribeStale(() => {
      told += 1;
    });

    registry.cut();
    await vi.waitFor(() => expect(registry.opened).toHaveLength(2));
    await vi.waitFor(() => expect(roster.isCurrent()).toBe(true));
    await roster[Symbol.asyncDispose]();

    expect(told).toBe(0);
  });
});

describe("once the registry itself is back", () => {
  test("a lease that held holds for its length, unless the registry says that it has lapsed", async () => {
    const { registry, roster, clock, isStale } = await aRosterWith(
      LOST,
      leased(),
      leased({ agentId: "bob" }),
    );
    await using _ = roster;
    registry.setAway(true);
    await vi.waitFor(() => expect(isStale()).toBe(true));

    clock.now = at(3_600);
    registry.put(leased({ agentId: "bob", state: OFFLINE }));
    registry.setAway(false);
    await vi.waitFor(() => expect(roster.get("bob")?.availability?.state).toBe(OFFLINE));
    await vi.waitFor(() => expect(isStale()).toBe(false));

    expect(readings(roster)).toEqual(all({ state: ONLINE, stale: false }));
    clock.now = at(3_659);
    expect(readings(roster)).toEqual(all({ state: ONLINE }));
    clock.now = at(3_661);
    expect(readings(roster)).toEqual(all({ state: OFFLINE }));
  });
});
