import { type Agent, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  AgentPageSchema,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { createRouterTransport, type Transport } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { createDirectory } from "../src/directory.ts";
import { follow } from "../src/follow.ts";
import { type AgentChange, createRoster } from "../src/index.ts";
import { createLeases } from "../src/leases.ts";
import { createReplica } from "../src/replica.ts";
import { type RegistryPeer, startRegistry } from "../src/testing.ts";
import { agentsIn, type Watched } from "../src/watched.ts";
import { anAgent } from "./support/agent.ts";

/** A registry that does not know yet that agents may come together. */
function older({ impl }: RegistryPeer): Transport {
  return createRouterTransport(({ service }) =>
    service(RegistryService, {
      watchAgents: (request, context) => impl.watchAgents({ ...request, together: false }, context),
    }),
  );
}

function pageOf(...agentIds: string[]): Uint8Array {
  const agents = agentIds.map((agentId) => create(AgentSchema, anAgent({ agentId })));
  return toBinary(AgentPageSchema, create(AgentPageSchema, { agents }));
}

function page(value: Uint8Array, resumeToken = ""): Watched {
  const staleSince = new Uint8Array();
  return { event: { case: "agents", value }, resumeToken, staleSince } as unknown as Watched;
}

function textOf(agentId: string): string {
  const agent: Agent = create(AgentSchema, anAgent({ agentId }));
  return Buffer.from(toBinary(AgentSchema, agent)).toString("latin1");
}

test("a page holds its agents in its order, whatever else it says", () => {
  const unknown = Uint8Array.of(0x7a, 1, 0xff);
  const value = Buffer.concat([pageOf("ada"), unknown, pageOf("bob", "cyd")]);

  expect([...agentsIn(page(value))]).toEqual(["ada", "bob", "cyd"].map(textOf));
});

test("a page that is cut off anywhere within an agent is refused", () => {
  const value = pageOf("ada");
  for (let end = 1; end < value.length; end += 1) {
    expect(() => [...agentsIn(page(value.subarray(0, end)))]).toThrow();
  }
});

test("a page of which an agent cannot be read comes again whole, from the token before it", async () => {
  const broken = Buffer.concat([pageOf("ada"), Uint8Array.of(0x0a, 1, 0x07), pageOf("bob")]);
  const opened: string[] = [];
  const leases = createLeases();
  const directory = createDirectory(() => new Date(), undefined, leases);
  const errors: unknown[] = [];
  const replica = createReplica({
    directory,
    leases,
    now: () => new Date(),
    onError: (error) => errors.push(error),
  });
  const closing = new AbortController();
  async function* stream(signal: AbortSignal) {
    const [first, second] = [pageOf("cyd"), opened.length === 1 ? broken : pageOf("ada", "bob")];
    if (opened.length === 1) yield page(first, "1");
    yield page(second, "2");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }

  const following = follow({
    open: async (token, signal) => {
      opened.push(token);
      return stream(signal);
    },
    follower: replica.follower,
    random: () => 0,
    signal: closing.signal,
  });
  await vi.waitFor(() => expect([...directory.ids()].sort()).toEqual(["ada", "bob", "cyd"]));
  closing.abort();
  await following;

  expect(opened).toEqual(["", "1"]);
  expect(errors).toHaveLength(1);
});

test("agents that come together are told as those that come one by one", async () => {
  const anyId = fc.constantFrom("ada", "bob", "cyd", "dan", "eve");
  const anyStep = fc.record({ agentId: anyId, isGone: fc.boolean() });
  const anySteps = fc.array(anyStep, { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(anySteps, anySteps, async (before, after) => {
      const registry = startRegistry();
      const take = (steps: typeof before) => {
        for (const { agentId, isGone } of steps) {
          if (isGone) registry.unregister(agentId);
          else registry.put(anAgent({ agentId }));
        }
      };
      take(before);
      const [single, together]: AgentChange[][] = [[], []];
      const open = (channel: Transport, changes: AgentChange[] = []) =>
        createRoster({ channel, onChange: (change) => changes.push(change) });
      await using one = open(older(registry), single);
      await using other = open(registry.channel, together);
      await Promise.all([one.ready, other.ready]);

      take(after);
      registry.put(anAgent({ agentId: "last" }));
      for (const roster of [one, other]) {
        await vi.waitFor(() => expect(roster.get("last")).toBeDefined(), { interval: 1 });
      }

      const told = (changes: AgentChange[] = []) =>
        changes.map(({ kind, agent }) => `${kind} ${agent.agentId}`);
      expect(told(together)).toEqual(told(single));
      expect([...other.agents()]).toEqual([...one.agents()]);
    }),
    { numRuns: 30 },
  );
});
