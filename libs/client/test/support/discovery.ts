import {
  DiscoveryService,
  type SelectAgentRequest,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { CallReport } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { type Market, marketOf } from "../../src/index.ts";

/** An agent that discovery knows. */
export interface Known {
  readonly agentId: string;
  readonly uri?: string;
}

/** A market in memory whose discovery names who it is told, in that order; it can be away. */
export interface DiscoveryPeer {
  readonly market: Market;
  readonly requests: readonly SelectAgentRequest[];
  /** How calls went, as its registry was told. */
  readonly reports: readonly CallReport[];
  know(...agents: readonly Known[]): void;
  away: boolean;
  /** It takes requests and does not answer. */
  silent: boolean;
}

/** Opens a discovery that knows these agents. */
export function openDiscovery(...agents: readonly Known[]): DiscoveryPeer {
  let known = agents;
  const requests: SelectAgentRequest[] = [];
  const reports: CallReport[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(RegistryService, {
      reportCalls(request) {
        reports.push(...request.reports);
        return { accepted: request.reports.length };
      },
    });
    service(DiscoveryService, {
      async selectAgent(request) {
        requests.push(request);
        if (peer.silent) await new Promise(() => {});
        if (peer.away) throw new ConnectError("gone fishing", Code.Unavailable);
        const { endpointScheme = "" } = request.filter ?? {};
        const able = known.filter(({ uri = "" }) => uri.startsWith(endpointScheme));
        const left = able.filter(({ agentId }) => !request.excludeAgentIds.includes(agentId));
        const [agent, ...alternates] = left.slice(0, 1 + request.alternates).map(candidateOf);
        if (agent === undefined) throw nobody(known.length, known.length - able.length);
        return { agent, alternates, eligibleAgents: left.length };
      },
    });
  });
  const peer: DiscoveryPeer = {
    market: marketOf({
      registry: transport,
      auction: transport,
      ledger: transport,
      discovery: transport,
    }),
    requests,
    reports,
    know(...others) {
      known = others;
    },
    away: false,
    silent: false,
  };
  return peer;
}

function candidateOf({ agentId, uri }: Known) {
  return { agentId, ...(uri !== undefined && { endpoint: { uri, protocol: "grpc" } }) };
}

function nobody(known: number, elsewhere: number): ConnectError {
  const metadata = {
    total: String(known + 2),
    not_available: "2",
    missing_capability: "0",
    other_endpoint: String(elsewhere),
  };
  const value = { reason: "NO_ELIGIBLE_AGENTS", domain: "bourse.discovery", metadata };
  return new ConnectError("no agent passes", Code.NotFound, undefined, [
    { desc: ErrorInfoSchema, value },
  ]);
}
