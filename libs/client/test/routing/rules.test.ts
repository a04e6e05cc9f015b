import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressOf } from "../../src/routing/address.ts";
import { type Choosable, choose } from "../../src/routing/choice.ts";
import { verdictOf } from "../../src/routing/result.ts";
import { createStandings } from "../../src/routing/standing.ts";
import { parseTarget, selectionStrategy } from "../../src/routing/target.ts";

describe("a target", () => {
  test("names a capability; by turns among eight agents without TLS unless it says otherwise", () => {
    expect(parseTarget("Code/Review+fix")).toEqual({
      capability: "code/review+fix",
      filter: { capabilities: ["code/review+fix"], endpointScheme: "grpc" },
      strategy: "round_robin",
      subset: 8,
      tls: false,
    });
  });

  test("says in a query whom to filter and how to choose", () => {
    const target = parseTarget(
      "summarise?strategy=least_loaded&subset=3&tls=true&max_cost=0.25EUR&max_latency=1.5s" +
        "&min_reliability=0.9&states=online,busy&label.region=eu-1&label.tier=gold",
    );

    expect(target).toMatchObject({ strategy: "least_loaded", subset: 3, tls: true });
    expect(target.filter).toMatchObject({
      capabilities: ["summarise"],
      endpointScheme: "grpcs",
      maxCost: { micros: 250_000n, currencyCode: "EUR" },
      maxLatency: { seconds: 1n, nanos: 500_000_000 },
      minReliability: 0.9,
      states: [AvailabilityState.ONLINE, AvailabilityState.BUSY],
      metadata: { region: "eu-1", tier: "gold" },
    });
    expect(selectionStrategy(target.strategy)).toBe(SelectionStrategy.LEAST_LOADED);
  });

  test.each([
    ["", '"" is not a capability'],
    ["two words", '"two words" is not a capability'],
    ["x".repeat(101), "is not a capability"],
    ["a?strategy=quickest", "strategy: must be one of round_robin, least_loaded"],
    ["a?strategy=weighted", "strategy: must be one of"],
    ["a?strategy=toString", "strategy: must be one of"],
    ["a?subset=0", "subset: must be from 1 to 100"],
    ["a?subset=101", "subset: must be from 1 to 100"],
    ["a?tls=yes", "tls: must be one of true, false"],
    ["a?max_cost=0.25", "max_cost: must be an amount with its currency"],
    ["a?max_cost=0.1234567EUR", "max_cost: "],
    ["a?max_cost=1E", "max_cost: "],
    ["a?max_latency=0s", "max_latency: must be a span above 0"],
    ["a?max_latency=5", "max_latency: must be a span above 0"],
    ["a?min_reliability=1.1", "min_reliability: must be from 0 to 1"],
    ["a?states=online,gone", "states: must be one of online, busy, maintenance, offline"],
    ["a?label.=x", "label.: is no option"],
    ["a?__proto__=x", "__proto__: is no option"],
    ["a?maxCost=1EUR", "maxCost: is no option; there are strategy, subset"],
    ["a?subset=2&subset=3", "subset: stands twice"],
  ])("is refused when it is not one: %s", (text, fault) => {
    expect(() => parseTarget(text)).toThrow(RangeError);
    expect(() => parseTarget(text)).toThrow(fault);
  });

  test("is told all its faults at once", () => {
    expect(() => parseTarget("?tls=1&subset=999")).toThrow(/capability; tls: .*; subset: /);
  });
});

describe("an endpoint", () => {
  const grpc = (uri: string) => ({ uri, protocol: "grpc" });

  test.each([
    [grpc("grpc://agent.example:7000"), false, { host: "agent.example", port: 7000 }],
    [grpc("grpc://agent.example"), false, { host: "agent.example", port: 443 }],
    [grpc("grpc://[::1]:7000/"), false, { host: "::1", port: 7000 }],
    [grpc("grpcs://agent.example:7000"), true, { host: "agent.example", port: 7000 }],
  ])("that speaks gRPC is called: %j, TLS %j", (endpoint, tls, address) => {
    expect(addressOf(endpoint, tls)).toEqual(address);
  });

  test.each([
    [undefined, false],
    [grpc("grpcs://agent.example:7000"), false],
    [grpc("grpc://agent.example:7000"), true],
    [grpc("grpcs://127.0.0.1:7000"), true],
    [grpc("grpcs://[::1]:7000"), true],
    [grpc("https://agent.example"), false],
    [grpc("agent.example:7000"), false],
    [grpc("grpc://agent.example:7000/path"), false],
    [grpc("grpc://user@agent.example:7000"), false],
    [grpc("grpc://:7000"), false],
    [{ uri: "grpc://agent.example:7000", protocol: "a2a" }, false],
  ])("that does not, or not as the caller wants, is passed over: %j, TLS %j", (endpoint, tls) => {
    expect(addressOf(endpoint, tls)).toBeUndefined();
  });
});

interface Peer extends Choosable {
  underWay: number;
  lastPick: number;
}

const peers = (count: number): Peer[] =>
  Array.from({ length: count }, (_, rank) => ({ rank, underWay: 0, lastPick: 0 }));

describe("a choice", () => {
  test("by turns differs by at most one call among those that stay, whoever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 200 }), (comings) => {
        const stayers = peers(3).map((peer) => ({ ...peer, calls: 0 }));
        const visitor = { rank: 3, underWay: 0, lastPick: 0, calls: 0 };
        for (const [index, there] of comings.entries()) {
          const chosen = choose(
            "round_robin",
            there ? [...stayers, visitor] : stayers,
            Math.random,
          );
          if (chosen === undefined) return false;
          chosen.lastPick = index + 1;
          chosen.calls += 1;
        }
        const calls = stayers.map((peer) => peer.calls);
        return Math.max(...calls) - Math.min(...calls) <= 1;
      }),
    );
  });

  test("by load goes to who has the fewest calls under way, in turn among equals", () => {
    const [busy, idle, waiting] = peers(3) as [Peer, Peer, Peer];
    busy.underWay = 1;
    idle.lastPick = 2;
    waiting.lastPick = 1;

    expect(choose("least_loaded", [busy, idle, waiting], Math.random)).toBe(waiting);
  });

  test.each(["cheapest", "best", "fastest"] as const)(
    "of the %s keeps to the order of discovery",
    (strategy) => {
      const [first, second] = peers(2) as [Peer, Peer];
      first.underWay = 9;

      expect(choose(strategy, [second, first], Math.random)).toBe(first);
    },
  );

  test("by power of two goes to the less loaded of two that are drawn", async () => {
    const [busy, idle, idler] = peers(3) as [Peer, Peer, Peer];
    busy.underWay = 5;
    idle.underWay = 1;
    const drawn = (...shares: number[]) =>
      choose("power_of_two", [busy, idle, idler], () => shares.shift() ?? 0);

    expect(drawn(0, 0)).toBe(idle);
    expect(drawn(0.34, 0.5)).toBe(idle);
    expect(drawn(0.34, 0)).toBe(idler);
    expect(choose("power_of_two", [busy], () => 0.9)).toBe(busy);
    expect(choose("power_of_two", [], () => 0)).toBeUndefined();
  });

  test("at random takes each as likely; of nobody there is none", () => {
    const three = peers(3);

    expect([0, 0.34, 0.99].map((share) => choose("random", three, () => share)?.rank)).toEqual([
      0, 1, 2,
    ]);
    expect(choose("random", [], () => 0)).toBeUndefined();
    expect(choose("best", [], () => 0)).toBeUndefined();
  });
});

describe("the end of a call", () => {
  test.each([
    [status.OK, { result: "SUCCESS", away: false }],
    [status.INVALID_ARGUMENT, { result: "SUCCESS", away: false }],
    [status.NOT_FOUND, { result: "SUCCESS", away: false }],
    [status.INTERNAL, { result: "FAILURE", away: false }],
    [status.UNKNOWN, { result: "FAILURE", away: false }],
    [status.UNAVAILABLE, { result: "FAILURE", away: true }],
    [status.UNIMPLEMENTED, { result: "FAILURE", away: true }],
    [status.RESOURCE_EXHAUSTED, { result: "FAILURE", away: true }],
    [status.DEADLINE_EXCEEDED, { result: "TIMEOUT", away: false }],
    [status.CANCELLED, undefined],
  ])("with status %i says of the agent: %j", (code, verdict) => {
    expect(verdictOf(code)).toEqual(verdict);
  });
});

describe("an agent that failed", () => {
  function standings() {
    let nowMs = 1_000;
    const made = createStandings(
      () => nowMs,
      () => 0,
    );
    const pass = (ms: number): void => {
      nowMs += ms;
    };
    return { ...made, pass };
  }

  test("is avoided at once when it is away, and again for twice as long, up to a minute", () => {
    const { fail, admits, pass } = standings();
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      fail("ada", true);
      pass(seconds * 1_000 - 1);
      expect(admits("ada", 0)).toBe(false);
      pass(1);
      expect(admits("ada", 0)).toBe(true);
    }
  });

  test("is avoided after three failures in a row that may be the calls' own fault", () => {
    const { fail, succeed, admits, avoided } = standings();
    fail("ada", false);
    fail("ada", false);
    succeed("ada");
    fail("ada", false);
    fail("ada", false);
    expect(admits("ada", 5)).toBe(true);
    fail("ada", false);

    expect(admits("ada", 0)).toBe(false);
    expect(avoided()).toEqual(["ada"]);
  });

  test("is tried by one call when its time is over, and by all once that has succeeded", () => {
    const { fail, succeed, admits, avoided, pass } = standings();
    fail("ada", true);
    pass(1_000);

    expect(avoided()).toEqual([]);
    expect(admits("ada", 0)).toBe(true);
    expect(admits("ada", 1)).toBe(false);
    succeed("ada");
    expect(admits("ada", 1)).toBe(true);
  });

  test("says when the first of those that are avoided can be tried again", () => {
    const { fail, nextMs, pass } = standings();
    expect(nextMs()).toBeUndefined();
    fail("ada", true);
    fail("ada", true);
    fail("bob", true);
    expect(nextMs()).toBe(1_000);
    pass(1_000);
    expect(nextMs()).toBe(1_000);
    pass(1_000);

    expect(nextMs()).toBeUndefined();
  });

  test("is forgotten when a hundred others have failed since", () => {
    const { fail, avoided } = standings();
    for (let count = 0; count <= 100; count += 1) fail(`agent-${count}`, true);

    expect(avoided()).toHaveLength(100);
    expect(avoided()).not.toContain("agent-0");
  });
});
