import { CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import {
  ANONYMOUS,
  bind,
  client,
  dial,
  metadataOf,
  Rejection,
  type RpcServer,
  reasonOf,
  serve,
} from "@bourse/rpc";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { type NamedAgent, type RoutingEvent, routeByCapability } from "../../src/index.ts";
import { type DiscoveryPeer, type Known, openDiscovery } from "../support/discovery.ts";
import { openEcho } from "../support/echo.ts";
import { answers, counted, failure, route, until, untilAnswers } from "../support/routed.ts";

describe("an ordinary stub", () => {
  test("calls the agents that discovery names, in turn", async () => {
    await using routed = await route(["ada", "bob", "cyd"]);
    const stub = routed.stub("bourse:///echo?max_cost=0.25EUR");
    await untilAnswers(stub, (said) => new Set(said).size === 3);

    expect(counted(await answers(stub, 9))).toEqual({ ada: 3, bob: 3, cyd: 3 });
    expect(routed.discovery.requests[0]).toMatchObject({
      filter: { capabilities: ["echo"], maxCost: { micros: 250_000n, currencyCode: "EUR" } },
      count: 8,
    });
  });

  test("tells each agent who is meant, so that one process can be several", async () => {
    await using routed = await route([]);
    const host = routed.use(await openEcho("host"));
    routed.discovery.know({ agentId: "ada", uri: host.uri }, { agentId: "bob", uri: host.uri });
    const stub = routed.stub("bourse:///echo");
    await answers(stub, 4);

    expect(new Set(host.calls)).toEqual(new Set(["ada", "bob"]));
  });

  test("follows discovery: who comes is called, who goes is not", async () => {
    await using routed = await route(["ada", "bob"]);
    routed.discovery.know(routed.echo("ada"));
    const stub = routed.stub("bourse:///echo");
    expect(counted(await answers(stub, 4))).toEqual({ ada: 4 });

    routed.discovery.know(routed.echo("bob"));
    await untilAnswers(stub, (said) => said.every((id) => id === "bob"));
  });

  test("passes over agents that have no endpoint that it can call", async () => {
    await using routed = await route(["ada"]);
    const paths: Known[] = Array.from({ length: 20 }, (_, count) => {
      return { agentId: `path-${count}`, uri: "grpc://agent.example/path" };
    });
    routed.discovery.know({ agentId: "mute" }, ...paths, routed.echo("ada"));

    expect(await answers(routed.stub("bourse:///echo"), 2)).toEqual(["ada", "ada"]);
  });

  test("calls only whom the caller lets it: endpoints are what agents say of themselves", async () => {
    await using routed = await route(["ada", "bob"]);
    const { market } = routed.discovery;
    const mayCall = ({ port }: NamedAgent) => routed.echo("bob").uri.endsWith(`:${port}`);
    routed.use(routeByCapability({ market, name: "careful", mayCall }));

    const stub = routed.stub("bourse://careful/echo");
    expect(counted(await answers(stub, 4))).toEqual({ bob: 4 });
  });

  test("is refused when it is made when its target is not one, or no market is known for it", async () => {
    await using routed = await route([]);

    expect(() => routed.stub("bourse:///echo?cost=1")).toThrow(RangeError);
    expect(() => routed.stub("bourse://elsewhere/echo")).toThrow("nobody routes the calls");
    expect(() => routeByCapability({ market: routed.discovery.market })).toThrow("routed already");
  });

  test("is one of several markets by the name in its target", async () => {
    await using routed = await route(["ada"]);
    const other = openDiscovery(routed.use(await openEcho("zoe")));
    routed.use(routeByCapability({ market: other.market, name: "elsewhere" }));

    expect(await routed.stub("bourse:///echo").say("hello")).toBe("ada");
    expect(await routed.stub("bourse://elsewhere/echo").say("hello")).toBe("zoe");
  });
});

describe("an agent that fails", () => {
  test("is killed: calls go on to the others at once, and come back to it when it is back", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    const ada = routed.echo("ada");
    ada.kill();
    await until(() => {
      expect(routed.events).toContainEqual(
        expect.objectContaining({ kind: "failed", agentId: "ada" }),
      );
    });
    expect(counted(await answers(stub, 10))).toEqual({ bob: 10 });

    routed.use(await openEcho("ada", { port: Number(new URL(ada.uri).port) }));
    await untilAnswers(stub, (said) => said.includes("ada"));
  });

  test("refuses its calls as UNAVAILABLE: the next ones go to others", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    routed.echo("ada").failWith(status.UNAVAILABLE);
    const before = routed.echo("ada").calls.length;
    const ends = await Promise.allSettled(Array.from({ length: 2 }, () => stub.say("hello")));

    expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(counted(await answers(stub, 10))).toEqual({ bob: 10 });
    expect(routed.echo("ada").calls.length).toBe(before + 1);
  });

  test("does not answer: after three time-outs in a row the calls go to others", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo?strategy=best");
    await untilAnswers(stub, (said) => said.every((id) => id === "ada"));
    routed.echo("ada").hang();
    for (let call = 0; call < 3; call += 1) {
      expect(await failure(stub.say("hello", { timeoutMs: 50 }))).toMatchObject({
        code: status.DEADLINE_EXCEEDED,
      });
    }

    expect(await answers(stub, 3)).toEqual(["bob", "bob", "bob"]);
  });

  test("is called all the same when it is the only one there is", async () => {
    await using routed = await route(["ada"]);
    const stub = routed.stub("bourse:///echo");
    await answers(stub, 1);
    routed.echo("ada").failWith(status.UNAVAILABLE);
    await failure(stub.say("hello"));
    routed.echo("ada").failWith(status.OK);

    expect(await answers(stub, 3)).toEqual(["ada", "ada", "ada"]);
  });

  test("has its errors passed on, and keeps its place when they are the caller's own", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo?strategy=best");
    await untilAnswers(stub, (said) => said.every((id) => id === "ada"));
    routed.echo("ada").failWith(status.INVALID_ARGUMENT);
    for (let call = 0; call < 5; call += 1) {
      expect(await failure(stub.say("hello"))).toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: "as told",
      });
    }

    expect(routed.events.some(({ kind }) => kind === "failed")).toBe(false);
  });

  test("dies in the middle of a stream: the stream ends as UNAVAILABLE and is not begun anew", async () => {
    await using routed = await route(["ada", "bob"]);
    const stub = routed.stub("bourse:///echo?strategy=best");
    await untilAnswers(stub, (said) => said.every((id) => id === "ada"));
    const heard: string[] = [];
    const listen = async () => {
      for await (const word of stub.sing()) {
        heard.push(word);
        routed.echo("ada").kill();
      }
    };

    expect(await failure(listen())).toMatchObject({ code: status.UNAVAILABLE });
    expect(heard).toEqual(["ada"]);
    expect(await answers(stub, 3)).toEqual(["bob", "bob", "bob"]);
  });

  test("fails a method that may be repeated: the attempt after goes to another", async () => {
    await using routed = await route(["ada", "bob"]);
    const retryPolicy = {
      maxAttempts: 2,
      initialBackoff: "0.01s",
      maxBackoff: "0.01s",
      backoffMultiplier: 1,
      retryableStatusCodes: ["UNAVAILABLE"],
    };
    const methodConfig = [{ name: [{ service: "test.Echo" }], retryPolicy }];
    const stub = routed.stub("bourse:///echo", { methodConfig, loadBalancingConfig: [] });
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    routed.echo("ada").failWith(status.UNAVAILABLE);

    expect(counted(await answers(stub, 6))).toEqual({ bob: 6 });
  });
});

describe("the registry", () => {
  test("is told how the calls went: answered, failed, late; what the caller calls off is not", async () => {
    await using routed = await route(["ada"]);
    const { reports } = routed.discovery;
    const stub = routed.stub("bourse:///Echo");
    const ada = routed.echo("ada");
    await answers(stub, 3);
    ada.failWith(status.INTERNAL);
    await failure(stub.say("hello"));
    ada.hang();
    await failure(stub.say("hello", { timeoutMs: 50 }));
    for await (const _ of stub.sing()) break;
    await routed[Symbol.asyncDispose]();

    expect(reports.map(({ agentId, capability, result }) => [agentId, capability, result])).toEqual(
      [
        ["ada", "echo", CallResult.SUCCESS],
        ["ada", "echo", CallResult.FAILURE],
        ["ada", "echo", CallResult.TIMEOUT],
      ],
    );
    expect(durationMs(reports[2]?.latency as Duration)).toBeGreaterThanOrEqual(40);
  });

  test("is told of an agent that cannot be reached, also when no call has gone there", async () => {
    await using routed = await route(["ada"]);
    const { discovery } = routed;
    discovery.know({ agentId: "zoe", uri: "grpc://127.0.0.1:1" }, routed.echo("ada"));
    await untilAnswers(routed.stub("bourse:///echo"), (said) => said.every((id) => id === "ada"));
    await until(() => expect(routed.events.map(({ kind }) => kind)).toContain("failed"));
    await routed[Symbol.asyncDispose]();

    expect(discovery.reports).toContainEqual(
      expect.objectContaining({ agentId: "zoe", result: CallResult.FAILURE }),
    );
  });
});

describe("an agent whose connection is lost", () => {
  const failures = (events: readonly RoutingEvent[]) =>
    events.filter(({ kind }) => kind === "failed").length;

  test("is not told of when discovery does not name it any more: it has left", async () => {
    await using routed = await route(["ada", "bob"]);
    const { discovery, events } = routed;
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === 2);
    discovery.know(routed.echo("bob"));
    routed.echo("ada").kill();
    await until(() => {
      const named = events.findLast(({ kind }) => kind === "selected");
      expect(named).toMatchObject({ agentIds: ["bob"] });
    });
    expect(counted(await answers(stub, 4))).toEqual({ bob: 4 });
    await routed[Symbol.asyncDispose]();

    expect(discovery.reports.map(({ result }) => result)).not.toContain(CallResult.FAILURE);
  });

  test.each([
    ["others", ["ada", "bob"]],
    ["no others", ["ada"]],
  ])("is told of when discovery goes on to name it, beside %s", async (_, ids) => {
    await using routed = await route(ids);
    const { discovery, events } = routed;
    const stub = routed.stub("bourse:///echo");
    await untilAnswers(stub, (said) => new Set(said).size === ids.length);
    routed.echo("ada").kill();
    await until(async () => {
      await stub.say("hello").catch(() => {});
      expect(failures(events)).toBeGreaterThanOrEqual(2);
    });
    await routed[Symbol.asyncDispose]();

    expect(discovery.reports).toContainEqual(
      expect.objectContaining({ agentId: "ada", result: CallResult.FAILURE }),
    );
  });
});

describe("nobody to call", () => {
  test("ends calls as UNAVAILABLE with the counts of discovery", async () => {
    await using routed = await route([]);
    const error = await failure(routed.stub("bourse:///echo").say("hello"));

    expect(error).toMatchObject({ code: status.UNAVAILABLE });
    expect(error.details).toBe(
      "nobody can take a call to bourse:///echo: no agent passes (total 2, not_available 2)",
    );
  });

  test("is said to be stale, if discovery does not know who is there, as long as it does not", async () => {
    await using routed = await route([]);
    const details = async () => (await failure(routed.stub("bourse:///echo").say("hello"))).details;
    routed.discovery.stale = true;
    await until(async () => expect(await details()).toMatch(/not_available 2, stale true\)$/));
    routed.discovery.stale = false;

    await until(async () => expect(await details()).toMatch(/not_available 2\)$/));
  });

  test("is said of agents that cannot be called with a stub, and of those that cannot be reached", async () => {
    await using routed = await route([]);
    routed.discovery.know({ agentId: "ada" }, { agentId: "bob", uri: "https://bob.example" });
    expect(await failure(routed.stub("bourse:///echo").say("hello"))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining("(total 4, not_available 2, other_endpoint 2)"),
    });

    routed.discovery.know({ agentId: "ada", uri: "grpc://127.0.0.1:1" });
    expect(await failure(routed.stub("bourse:///sing").say("hello"))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining("no agent for bourse:///sing can be reached: ada: "),
    });
  });

  test("keeps a call that waits for ready, until there is somebody", async () => {
    await using routed = await route(["ada"]);
    routed.discovery.know();
    const stub = routed.stub("bourse:///echo");
    const waiting = stub.say("hello", { waitForReady: true });
    await until(() => {
      expect(routed.events).toContainEqual(expect.objectContaining({ kind: "nobody" }));
    });
    routed.discovery.know(routed.echo("ada"));

    expect(await waiting).toBe("ada");
  });
});

describe("a Connect-typed client", () => {
  /** An agent whose contract is the registry's; the first `busy` calls find it unavailable. */
  async function openTyped(agentId: string, busy = 0): Promise<RpcServer & { calls(): number }> {
    let calls = 0;
    const getAgent = () => {
      calls += 1;
      if (calls <= busy) throw new Rejection("BUSY", "not now");
      return { agent: { agentId } };
    };
    const server = await serve({
      listen: "127.0.0.1:0",
      domain: "bourse.test",
      bindings: [bind(RegistryService, { getAgent } as never)],
      codes: { BUSY: Code.Unavailable },
      guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
      drainMs: 100,
    });
    return Object.assign(server, { calls: () => calls });
  }

  const known = (agentId: string, { address }: RpcServer) => ({
    agentId,
    uri: `grpc://${address}`,
  });

  async function routeTyped(peer: DiscoveryPeer, stack: AsyncDisposableStack) {
    stack.use(routeByCapability({ market: peer.market }));
    return client(RegistryService, stack.use(dial({ address: "bourse:///registry" })));
  }

  test("calls by capability too, and repeats at another agent what its contract lets it", async () => {
    await using stack = new AsyncDisposableStack();
    const ada = stack.use(await openTyped("ada", 1_000));
    const bob = stack.use(await openTyped("bob"));
    const peer = openDiscovery(known("ada", ada), known("bob", bob));
    const typed = await routeTyped(peer, stack);
    for (let call = 0; call < 5; call += 1) {
      const { agent } = await typed.getAgent({ agentId: "x" });
      expect(agent?.agentId).toBe("bob");
    }

    expect(ada.calls()).toBeLessThanOrEqual(1);
  });

  test("reads from the error why there is nobody", async () => {
    await using stack = new AsyncDisposableStack();
    const typed = await routeTyped(openDiscovery(), stack);
    const error = await failure(typed.getAgent({ agentId: "x" }));

    expect(reasonOf(error)).toBe("NO_ELIGIBLE_AGENTS");
    expect(metadataOf(error)).toEqual({ total: "2", not_available: "2" });
  });
});
