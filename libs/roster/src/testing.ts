import { type Agent, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  AgentPageSchema,
  RegistryService,
  type WatchAgentsRequest,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createRouterTransport,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";

/** For tests: a registry in memory that keeps the promises of WatchAgents and whose streams can be cut. */
export interface RegistryPeer {
  /** Reaches it without a socket. */
  readonly channel: Transport;
  /** What to bind RegistryService to, for those that reach it over a socket. */
  readonly impl: Pick<ServiceImpl<typeof RegistryService>, "watchAgents">;
  /** Registers or replaces an agent. */
  put(agent: MessageInitShape<typeof AgentSchema>): void;
  /** Leaves a tombstone. */
  unregister(agentId: string): void;
  /** Forgets everything, as a database restored from elsewhere: earlier tokens are refused. */
  replaceDatabase(): void;
  /** While `count` is set, streams end after that many agents of their snapshot. */
  cutSnapshotsAfter(count: number | undefined): void;
  /** Ends every open stream. */
  cut(): void;
  /** Ends every open stream and refuses others until it is back. */
  setAway(isAway: boolean): void;
  /** Says that nothing happened, with a new resume token. */
  idle(): void;
  /** Says that its store of leases is away since then; undefined: it is back. */
  lose(since: Date | undefined): void;
  /** The resume tokens that streams were opened with, in order. */
  readonly opened: readonly string[];
  /** Streams open now. */
  openStreams(): number;
}

interface Stream {
  seen: number;
  idle: boolean;
  cut: boolean;
  wake: () => void;
}

const UNREGISTERED_AT = timestampFromDate(new Date("2026-11-01T12:00:00Z"));

/** Starts an empty registry peer. */
export function startRegistry(): RegistryPeer {
  let database = 1;
  let revision = 0;
  let cutAfter: number | undefined;
  let isAway = false;
  const rows = new Map<string, { readonly agent: Agent; readonly revision: number }>();
  const streams = new Set<Stream>();
  const opened: string[] = [];
  let lostSince: Timestamp | undefined;

  function write(agent: Agent): void {
    revision += 1;
    rows.set(agent.agentId, { agent, revision });
    for (const stream of streams) stream.wake();
  }

  function changedSince(seen: number): readonly Agent[] {
    return [...rows.values()]
      .filter((row) => row.revision > seen)
      .sort((a, b) => a.revision - b.revision)
      .map((row) => row.agent);
  }

  function start(resumeToken: string): number {
    if (resumeToken === "") return 0;
    const [of, seen] = resumeToken.split(".").map(Number);
    if (of === database && seen !== undefined) return seen;
    const info = { reason: "INVALID_RESUME_TOKEN", domain: "bourse.registry" };
    throw new ConnectError("not of this database", Code.InvalidArgument, undefined, [
      { desc: ErrorInfoSchema, value: info },
    ]);
  }

  const token = (seen: number): string => `${database}.${seen}`;

  function idle(): void {
    for (const stream of streams) {
      stream.idle = true;
      stream.wake();
    }
  }

  function cut(): void {
    for (const stream of streams) {
      stream.cut = true;
      stream.wake();
    }
  }

  async function* watch(request: WatchAgentsRequest, signal: AbortSignal) {
    for await (const message of stream(request, signal)) {
      yield lostSince === undefined ? message : { ...message, staleSince: lostSince };
    }
  }

  async function* stream({ resumeToken, together }: WatchAgentsRequest, signal: AbortSignal) {
    const pages = together ? inPages : oneByOne;
    opened.push(resumeToken);
    if (isAway) throw new ConnectError("away", Code.Unavailable);
    const stream: Stream = { seen: start(resumeToken), idle: false, cut: false, wake: () => {} };
    streams.add(stream);
    // In memory nobody wakes a generator whose reader has left between two messages.
    signal.addEventListener("abort", () => streams.delete(stream));
    try {
      const until = revision;
      const isTold = (agent: Agent) => resumeToken !== "" || agent.unregisterTime === undefined;
      const snapshot = changedSince(stream.seen).filter(isTold);
      for (const event of pages(snapshot.slice(0, cutAfter))) yield { event };
      if (snapshot.length > (cutAfter ?? Infinity)) throw new ConnectError("cut", Code.Unavailable);
      stream.seen = until;
      yield { event: { case: "synced" as const, value: true }, resumeToken: token(until) };
      while (!stream.cut && !signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          stream.wake = resolve;
        });
        const until = revision;
        for (const event of pages(changedSince(stream.seen))) {
          yield { event, resumeToken: token(until) };
        }
        stream.seen = until;
        if (stream.idle)
          yield { event: { case: "idle" as const, value: true }, resumeToken: token(until) };
        stream.idle = false;
        if (stream.seen === revision && !stream.cut && !signal.aborted) await woken;
      }
      if (stream.cut) throw new ConnectError("cut", Code.Unavailable);
    } finally {
      streams.delete(stream);
    }
  }

  const impl: RegistryPeer["impl"] = {
    watchAgents: (request, { signal }) => {
      signal.addEventListener("abort", () => {
        for (const stream of streams) stream.wake();
      });
      return watch(request, signal);
    },
  };

  return {
    channel: createRouterTransport(({ service }) => service(RegistryService, impl)),
    impl,
    put: (agent) => write(create(AgentSchema, agent)),
    unregister(agentId) {
      const row = rows.get(agentId);
      if (row !== undefined) write({ ...row.agent, unregisterTime: UNREGISTERED_AT });
    },
    replaceDatabase() {
      database += 1;
      revision = 0;
      rows.clear();
    },
    cutSnapshotsAfter(count) {
      cutAfter = count;
    },
    cut,
    setAway(away) {
      isAway = away;
      if (away) cut();
    },
    idle,
    lose(since) {
      lostSince = since && timestampFromDate(since);
      idle();
    },
    opened,
    openStreams: () => streams.size,
  };
}

/** So few that even the few agents of a test take several. */
const PAGE_AGENTS = 2;

function* inPages(agents: readonly Agent[]) {
  for (let from = 0; from < agents.length; from += PAGE_AGENTS) {
    const page = create(AgentPageSchema, { agents: agents.slice(from, from + PAGE_AGENTS) });
    yield { case: "agents" as const, value: page };
  }
}

function* oneByOne(agents: readonly Agent[]) {
  for (const value of agents) yield { case: "agent" as const, value };
}
