import { type Connection, routeByCapability, streamed } from "@bourse/client";
import { type Agent, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ANONYMOUS, bind, client, dial, reasonOf, serve } from "@bourse/rpc";

/** Somebody who asks the market whether an agent can be given work. */
export interface Reader {
  readonly name: string;
  /** Whether it can, as far as this reader is told now; undefined when it is not told of the agent at all. */
  isThere(): Promise<boolean | undefined>;
}

const { ONLINE, OFFLINE } = AvailabilityState;

/** Serves a contract as an agent does that can be called with a stub; gives its address. */
export async function serveAgent(stack: AsyncDisposableStack): Promise<string> {
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.test",
    bindings: [bind(RegistryService, { getAgent: () => ({}) } as never)],
    codes: {},
    guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
    drainMs: 100,
  });
  stack.defer(() => server.drain());
  return server.address;
}

/** All ways in which a caller learns whether an agent, the only one with a capability, is there. */
export function readersOf(
  { registry, discovery }: Connection,
  { agentId, capability }: { readonly agentId: string; readonly capability: string },
  stack: AsyncDisposableStack,
  /** Names the market that the caller routes by. */
  name: string,
): readonly Reader[] {
  const filter = { capabilities: [capability] };
  const known = (agents: readonly (Agent | undefined)[]): boolean | undefined => {
    const state = agents.find((agent) => agent?.agentId === agentId)?.availability?.state;
    return state === ONLINE ? true : state === OFFLINE ? false : undefined;
  };
  const named = (call: Promise<readonly (string | undefined)[]>) =>
    call.then(
      (ids) => ids.includes(agentId),
      (error) => (reasonOf(error) === "NO_ELIGIBLE_AGENTS" ? false : Promise.reject(error)),
    );
  const follow = <T>(
    open: (signal: AbortSignal) => AsyncIterable<T>,
    onMessage: (told: T) => void,
  ) => {
    const ended = new AbortController();
    stack.defer(() => ended.abort());
    void (async () => {
      for await (const told of streamed(open, ended.signal)) onMessage(told);
    })().catch(() => {});
  };

  let watched: boolean | undefined;
  follow(
    (signal) => registry.watchAgents({}, { signal }),
    ({ event }) => {
      if (event.case === "agent") watched = known([event.value]) ?? watched;
    },
  );
  let candidate: boolean | undefined;
  follow(
    (signal) => discovery.watchCandidates({ filter }, { signal }),
    ({ candidates }) => {
      candidate = candidates.some((one) => one.agentId === agentId);
    },
  );
  stack.use(routeByCapability({ market: { registry, discovery }, name }));
  const stub = client(
    RegistryService,
    stack.use(dial({ address: `bourse://${name}/${capability}` })),
  );
  return [
    {
      name: "GetAgent",
      isThere: async () => known([(await registry.getAgent({ agentId })).agent]),
    },
    {
      name: "ListAgents",
      isThere: async () => known((await registry.listAgents(filter)).agents),
    },
    { name: "WatchAgents", isThere: async () => watched },
    {
      name: "SearchAgents",
      isThere: async () => known((await discovery.searchAgents({ filter })).agents),
    },
    {
      name: "SelectAgent",
      isThere: () => named(discovery.selectAgent({ filter }).then(({ agent }) => [agent?.agentId])),
    },
    {
      name: "RecommendAgents",
      isThere: () =>
        named(
          discovery
            .recommendAgents({ capability })
            .then(({ agents }) => agents.map((a) => a.agentId)),
        ),
    },
    { name: "WatchCandidates", isThere: async () => candidate },
    {
      name: "bourse:///capability",
      isThere: () => named(stub.getAgent({ agentId }).then(() => [agentId])),
    },
  ];
}
