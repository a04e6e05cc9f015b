import { type CallReportSchema, CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Market } from "../connect.ts";
import { openReports, type Report } from "./reports.ts";
import { registerDesk, unregisterDesk } from "./resolver.ts";
import type { RoutingEvent } from "./route.ts";
import type { NamedAgent } from "./selection.ts";

/** How calls are routed. */
export interface RoutingOptions {
  readonly market: Pick<Market, "registry" | "discovery">;
  /**
   * The market's name in `bourse://name/capability`, for a process that calls agents of several;
   * default none.
   */
  readonly name?: string;
  /**
   * Whether an agent may be called: its endpoint is what it says of itself, and may lie inside the
   * caller's own network. Default: each may. Must not throw.
   */
  readonly mayCall?: (agent: NamedAgent) => boolean;
  /** From 0 to below 1. */
  readonly random?: () => number;
  /** Is told what happens; must not throw. */
  readonly onEvent?: (event: RoutingEvent) => void;
}

/**
 * Makes `bourse:///capability` a target that any grpc-js channel of this process can be made for:
 * its calls go to agents that Discovery names for the capability, and the registry is told how
 * they went. Disposing of it tells what has not been told yet; close the channels first, and the
 * market after.
 * @throws Error when calls by this name are routed already
 */
export function routeByCapability(options: RoutingOptions): AsyncDisposable {
  const { market, name = "", random = Math.random } = options;
  const closing = new AbortController();
  const tell = (event: RoutingEvent): void => options.onEvent?.(event);
  const reports = openReports({
    async send(reports, timeoutMs) {
      await market.registry.reportCalls({ reports: reports.map(callReportOf) }, { timeoutMs });
    },
    random,
    onLost: (count, error) => tell({ kind: "reports_lost", count, error }),
  });
  registerDesk(name, {
    discovery: market.discovery,
    reports,
    mayCall: options.mayCall ?? (() => true),
    closed: closing.signal,
    random,
    now: () => performance.now(),
    tell,
  });
  return {
    async [Symbol.asyncDispose]() {
      unregisterDesk(name);
      closing.abort();
      await reports[Symbol.asyncDispose]();
    },
  };
}

const LATENCY_MS_MAX = 86_400_000;

function callReportOf({
  result,
  latencyMs,
  ...named
}: Report): MessageInitShape<typeof CallReportSchema> {
  const latency = durationFromMs(Math.round(Math.min(latencyMs, LATENCY_MS_MAX)));
  return { ...named, result: CallResult[result], latency };
}
