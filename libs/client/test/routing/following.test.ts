import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { ANONYMOUS, bind, client, dial, type RpcServer, serve } from "@bourse/rpc";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { routeByCapability } from "../../src/index.ts";
import { type DiscoveryPeer, openDiscovery } from "../support/discovery.ts";
import { echoStub, openEcho } from "../support/echo.ts";
import { answers, counted, failure, route, until, untilAnswers } from "../support/routed.ts";

describe("a longer list", () => {
  test("is asked for when one of the agents fails, so that another takes its place", async () => {
    await using routed = await route(["ada", "bob", "cyd"]);
    const stub = routed.stub("bourse:///echo?subset=2");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    routed.echo("ada").failWith(status.UNAVAILABLE);
    await until(async () => {
      await stub.say("hello").catch(() => {});
      const said = await Promise.allSettled([stub.say("hello"), stub.say("hello")]);
      expect(said.map((end) => end.status === "fulfilled" && end.value).sort()).toEqual([
        "bob",
        "cyd",
      ]);
    });

    const [first, second] = routed.discovery.requests;
    expect([first?.count, second?.count]).toEqual([2, 4]);
    expect(second?.ringStart).toBe("ring-1");
  });

  test("is not asked for when discovery knows no more", async () => {
    await using routed = await route(["ada"]);
    const stub = routed.stub("bourse:///echo?subset=2");
    await answers(stub, 1);
    routed.echo("ada").failWith(status.UNAVAILABLE);
    await failure(stub.say("hello"));
    await until(() => expect(routed.events.map(({ kind }) => kind)).toContain("failed"));
    routed.discovery.know();
    await until(() => expect(routed.events.map(({ kind }) => kind)).toContain("nobody"));

    expect(routed.discovery.requests).toHaveLength(1);
  });
});

describe("an agent that is to be tried", () => {
  test("gets a call now and then, one at a time, beside those that are sound", async () => {
    await using routed = await route(["ada", "zoe"]);
    routed.discovery.know(routed.echo("ada"));
    routed.discovery.offer(routed.echo("zoe"));
    const stub = routed.stub("bourse:///echo?strategy=best");
    await untilAnswers(stub, (said) => said.includes("zoe"));
    const sinceMs = performance.now();
    const said = await answers(stub, 20);
    const seconds = Math.ceil((performance.now() - sinceMs) / 1_000);
    expect(said.filter((id) => id === "zoe").length).toBeLessThanOrEqual(seconds);
    routed.discovery.offer();
    await untilAnswers(stub, (all) => all.every((id) => id === "ada"));
  });
});

describe("a discovery that is away", () => {
  test("leaves calls with those it named last", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    routed.discovery.away = true;
    await until(async () => {
      await answers(stub, 1);
      expect(routed.events.at(-1)).toMatchObject({ kind: "discovery_away" });
    });

    expect(counted(await answers(stub, 10))).toEqual({ ada: 5, bob: 5 });
  });

  test("and says nothing holds a call up for a second, and no call once it has answered", async () => {
    await using routed = await route(["ada"]);
    routed.discovery.silent = true;
    const stub = routed.stub("bourse:///echo");
    expect(await failure(stub.say("hello", { timeoutMs: 60_000 }))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining("discovery does not answer"),
    });
    routed.discovery.silent = false;
    await untilAnswers(stub, (said) => said.every((id) => id === "ada"));
    routed.discovery.silent = true;
    routed.discovery.cut();

    expect(counted(await answers(stub, 5))).toEqual({ ada: 5 });
  });

  test("and that never answered ends calls as UNAVAILABLE, until it is back", async () => {
    await using routed = await route(["ada"]);
    routed.discovery.away = true;
    const stub = routed.stub("bourse:///echo");
    expect(await failure(stub.say("hello"))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(/^discovery cannot say who takes a call to bourse:.*fishing/),
    });
    routed.discovery.away = false;

    await untilAnswers(stub, (said) => said.every((id) => id === "ada"));
  });

  test("is followed anew when it is back, from where the last list began", async () => {
    await using routed = await route(["ada", "bob"]);
    const { discovery } = routed;
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    discovery.cut();
    await until(() => expect(discovery.streams).toBe(1));
    discovery.know(routed.echo("bob"));
    await untilAnswers(stub, (said) => said.every((id) => id === "bob"));

    expect(discovery.requests.map(({ ringStart }) => ringStart)).toEqual(["", "ring-1"]);
  });

  test("is followed by one stream a channel, which ends with the channel or the routing", async () => {
    await using routed = await route(["ada"]);
    const { discovery } = routed;
    const stubs = [routed.stub("bourse:///echo"), routed.stub("bourse:///echo")];
    for (const stub of stubs) await answers(stub, 5);
    expect(discovery.requests).toHaveLength(2);
    expect(discovery.streams).toBe(2);

    stubs[0]?.[Symbol.dispose]();
    await until(() => expect(discovery.streams).toBe(1));
    const other = routeByCapability({ market: discovery.market, name: "other" });
    await routed.stub("bourse://other/echo").say("hello");
    expect(discovery.streams).toBe(2);
    await other[Symbol.asyncDispose]();
    await until(() => expect(discovery.streams).toBe(1));
  });
});

test("a channel that is idle follows nothing, and asks again with its next call", async () => {
  await using routed = await route(["ada"]);
  const { discovery } = routed;
  const idle = { "grpc.client_idle_timeout_ms": 1_000 };
  const stub = routed.use(echoStub("bourse:///echo", undefined, undefined, idle));
  await stub.say("hello");
  await until(() => expect(discovery.streams).toBe(0));
  const bob = routed.use(await openEcho("bob"));
  discovery.know(bob);

  expect(await stub.say("hello")).toBe("bob");
  expect(discovery.streams).toBe(1);
});

describe("two replicas of discovery", () => {
  /** A replica over a socket. */
  async function serveReplica(peer: DiscoveryPeer): Promise<RpcServer> {
    return serve({
      listen: "127.0.0.1:0",
      domain: "bourse.discovery",
      bindings: [bind(DiscoveryService, peer.impl as never)],
      codes: {},
      guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
      drainMs: 100,
    });
  }

  test("stand in for each other: a channel goes on when its own stops, with the agents that it had", async () => {
    await using stack = new AsyncDisposableStack();
    const [ada, bob] = [stack.use(await openEcho("ada")), stack.use(await openEcho("bob"))];
    const peers = [openDiscovery(ada, bob), openDiscovery(ada, bob)];
    const servers = await Promise.all(
      peers.map(async (peer) => stack.use(await serveReplica(peer))),
    );
    const address = `ipv4:${servers.map((server) => server.address).join(",")}`;
    const discovery = client(DiscoveryService, stack.use(dial({ address })));
    const [{ market } = openDiscovery()] = peers;
    stack.use(routeByCapability({ market: { ...market, discovery } }));
    const stub = stack.use(echoStub("bourse:///echo"));
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    const own = peers.findIndex(({ streams }) => streams === 1);
    const other = peers[1 - own] as DiscoveryPeer;

    const stopping = servers[own]?.drain();
    expect(counted(await answers(stub, 10))).toEqual({ ada: 5, bob: 5 });
    await until(() => expect(other.requests.at(-1)?.ringStart).toBe("ring-1"));
    await stopping;
    other.know(bob);

    await untilAnswers(stub, (said) => said.every((id) => id === "bob"));
  });
});
