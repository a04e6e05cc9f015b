import {
  DiscoveryService,
  type WatchCandidatesRequest,
  type WatchCandidatesResponse,
  WatchCandidatesResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { CallReport } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { type Market, marketOf } from "../../src/index.ts";

/** An agent that discovery knows. */
export interface Known {
  readonly agentId: string;
  readonly uri?: string;
}

/** A market in memory whose discovery names who it is told, in that order; it can be away. */
export interface DiscoveryPeer {
  readonly market: Market;
  /** What to bind DiscoveryService to, to serve it over a socket. */
  readonly impl: Pick<ServiceImpl<typeof DiscoveryService>, "watchCandidates">;
  /** What it was asked to follow, in order. */
  readonly requests: readonly WatchCandidatesRequest[];
  /** Streams open now. */
  readonly streams: number;
  /** How calls went, as its registry was told. */
  readonly reports: readonly CallReport[];
  know(...agents: readonly Known[]): void;
  /** Names an agent beside its lists, to be tried; nobody again. */
  offer(agent?: Known): void;
  /** Ends all streams. */
  cut(): void;
  /** It refuses everything, and its streams end. */
  away: boolean;
  /** It takes requests and does not answer. */
  silent: boolean;
  /** It says that it does not know who is there. */
  stale: boolean;
}

/** Opens a discovery that knows these agents. */
export function openDiscovery(...agents: readonly Known[]): DiscoveryPeer {
  let known = agents;
  let trial: Known | undefined;
  let isAway = false;
  let isStale = false;
  const requests: WatchCandidatesRequest[] = [];
  const reports: CallReport[] = [];
  const streams = new Set<{ wake: () => void; isCut: boolean }>();
  const wakeAll = (): void => {
    for (const stream of streams) stream.wake();
  };

  function listFor({ filter, count, ringStart }: WatchCandidatesRequest): WatchCandidatesResponse {
    const { endpointScheme = "" } = filter ?? {};
    const able = known.filter(({ uri = "" }) => uri.startsWith(endpointScheme));
    return create(WatchCandidatesResponseSchema, {
      candidates: able.slice(0, count).map(candidateOf),
      ringStart: ringStart || `ring-${requests.length}`,
      ...(trial !== undefined && { trial: candidateOf(trial) }),
      ...(able.length === 0 && { counts: countsOf(known.length) }),
      stale: isStale,
    });
  }

  async function* watch(request: WatchCandidatesRequest, signal: AbortSignal) {
    requests.push(request);
    const stream = { wake: () => {}, isCut: false };
    streams.add(stream);
    signal.addEventListener("abort", () => streams.delete(stream));
    signal.addEventListener("abort", () => stream.wake());
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        stream.wake = resolve;
      });
      if (isAway || stream.isCut) throw new ConnectError("gone fishing", Code.Unavailable);
      if (!peer.silent) yield listFor(request);
      await woken;
    }
  }

  const impl: DiscoveryPeer["impl"] = {
    watchCandidates: (request, { signal }) => watch(request, signal),
  };
  const transport = createRouterTransport(({ service }) => {
    service(RegistryService, {
      reportCalls(request) {
        reports.push(...request.reports);
        return { accepted: request.reports.length };
      },
    });
    service(DiscoveryService, impl);
  });
  const peer: DiscoveryPeer = {
    market: marketOf({
      registry: transport,
      auction: transport,
      ledger: transport,
      discovery: transport,
    }),
    impl,
    requests,
    reports,
    get streams() {
      return streams.size;
    },
    know(...others) {
      known = others;
      wakeAll();
    },
    offer(agent) {
      trial = agent;
      wakeAll();
    },
    cut() {
      for (const stream of streams) stream.isCut = true;
      wakeAll();
    },
    get away() {
      return isAway;
    },
    set away(away) {
      isAway = away;
      wakeAll();
    },
    silent: false,
    get stale() {
      return isStale;
    },
    set stale(stale) {
      isStale = stale;
      wakeAll();
    },
  };
  return peer;
}

function candidateOf({ agentId, uri }: Known) {
  return { agentId, ...(uri !== undefined && { endpoint: { uri, protocol: "grpc" } }) };
}

function countsOf(known: number): Record<string, bigint> {
  const counts = { total: BigInt(known + 2), not_available: 2n, missing_capability: 0n };
  return known === 0 ? counts : { ...counts, other_endpoint: BigInt(known) };
}
