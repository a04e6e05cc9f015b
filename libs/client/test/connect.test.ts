import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ANONYMOUS, bind, Rejection, serve } from "@bourse/rpc";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { addressesOf, tokenOf } from "../src/config.ts";
import { connect, money } from "../src/index.ts";

/** Serves a registry that notes what it is asked; the first `busy` registrations are refused for a moment. */
async function openRegistry(busy = 0) {
  const requestIds: string[] = [];
  const tokens: (string | null)[] = [];
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.registry",
    bindings: [
      bind(RegistryService, {
        registerAgent({ requestId, agentId }: { requestId: string; agentId: string }) {
          requestIds.push(requestId);
          if (requestIds.length <= busy) throw new Rejection("BUSY", "not now");
          return { agent: { agentId } };
        },
        getAgent: ({ agentId }: { agentId: string }) => ({ agent: { agentId } }),
      } as never),
    ],
    codes: { BUSY: Code.Unavailable },
    guard: {
      async authenticate(_method, headers) {
        tokens.push(headers.get("authorization"));
        return ANONYMOUS;
      },
      authorize: () => {},
    },
    drainMs: 200,
  });
  return { server, requestIds, tokens };
}

const REGISTRATION = { agentId: "ada", profile: { capabilities: ["python"] } };

describe("a connection", () => {
  test("gives a mutation a request id of its own, the same for all its attempts", async () => {
    const { server, requestIds } = await openRegistry(2);
    await using _ = server;
    await using market = connect({ addresses: { registry: server.address } });

    await market.registry.registerAgent(REGISTRATION);
    await market.registry.registerAgent(REGISTRATION);

    expect(requestIds).toHaveLength(4);
    expect(requestIds[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(requestIds.slice(0, 3)).size).toBe(1);
    expect(requestIds[3]).not.toBe(requestIds[0]);
  });

  test("leaves a request id as it was given, and requests that bear none", async () => {
    const { server, requestIds } = await openRegistry();
    await using _ = server;
    await using market = connect({ addresses: { registry: server.address } });

    await market.registry.registerAgent({ ...REGISTRATION, requestId: "mine" });
    const { agent } = await market.registry.getAgent({ agentId: "ada" });

    expect(requestIds).toEqual(["mine"]);
    expect(agent?.agentId).toBe("ada");
  });

  test.each([
    { token: "abc", sent: "Bearer abc" },
    { token: () => "made", sent: "Bearer made" },
    { token: async () => "later", sent: "Bearer later" },
  ])("shows its token: $sent", async ({ token, sent }) => {
    const { server, tokens } = await openRegistry();
    await using _ = server;
    await using market = connect({ addresses: { registry: server.address }, token });

    await market.registry.getAgent({ agentId: "ada" });

    expect(tokens).toEqual([sent]);
  });
});

describe("the environment", () => {
  test("says where the services are, else they are on this machine", () => {
    expect(
      addressesOf({ BOURSE_LEDGER_ADDRESS: "dns:///ledger:7403", BOURSE_AUCTION_ADDRESS: "" }),
    ).toEqual({
      registry: "127.0.0.1:7401",
      auction: "127.0.0.1:7402",
      ledger: "dns:///ledger:7403",
      discovery: "127.0.0.1:7404",
    });
  });

  test("may hold the token", () => {
    expect(tokenOf({ BOURSE_TOKEN: "abc" })).toBe("abc");
    expect(tokenOf({ BOURSE_TOKEN: "" })).toBeUndefined();
  });
});

describe("an amount of money", () => {
  test.each([
    { amount: "2.50", micros: 2_500_000n },
    { amount: "0.000001", micros: 1n },
    { amount: "100000", micros: 100_000_000_000n },
    { amount: "-1.5", micros: -1_500_000n },
    { amount: "9000000000", micros: 9_000_000_000_000_000n },
  ])("$amount is exact", ({ amount, micros }) => {
    expect(money(amount, "EUR")).toMatchObject({ micros, currencyCode: "EUR" });
  });

  test.each(["", "abc", "1.2345678", "1e3", "9000000000.000001", "1,5", " 1", ".5"])(
    "%j is refused",
    (amount) => {
      expect(() => money(amount, "EUR")).toThrow(RangeError);
    },
  );

  test("must be in a currency", () => {
    expect(() => money("1", "euro")).toThrow("is not a currency code");
  });
});
