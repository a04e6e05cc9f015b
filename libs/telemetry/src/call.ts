import type { FinishedCall } from "@bourse/rpc";
import type { Logger, LogLevel } from "./logger.ts";
import type { CallMetrics } from "./metrics.ts";

/**
 * Returns the observer of finished RPCs: one log line and one measurement for each.
 *
 * The line bears the method, code, reason, principal, request id, trace id and milliseconds, never
 * a payload. A bug (INTERNAL) is logged at `error` with its cause and stack, a refusal at `info`,
 * and what was answered at `debug`: thousands of such lines a second would cost a busy service a
 * third of what it can do, and the metrics count them.
 */
export function observeCall(
  logger: Logger,
  metrics: { readonly calls: CallMetrics },
): (call: FinishedCall) => void {
  return (call) => {
    const labels = labelsOf(call);
    metrics.calls.handled.inc(labels);
    metrics.calls.handlingSeconds.observe(labels, call.durationMs / 1_000);
    const level = levelOf(call);
    if (!logger.isLevelEnabled(level)) return;
    logger[level](
      {
        event: "rpc",
        method: call.method,
        code: call.code,
        ...(call.reason !== "" && { reason: call.reason }),
        ms: Math.round(call.durationMs * 1_000) / 1_000,
        principal: call.principal,
        request_id: call.requestId,
        trace_id: call.traceId,
        ...(call.error !== undefined && { err: call.error }),
      },
      `${call.method} ${call.code}`,
    );
  };
}

function levelOf(call: FinishedCall): Exclude<LogLevel, "silent"> {
  if (call.error !== undefined || BUGS.has(call.code)) return "error";
  if (call.method.startsWith("grpc.")) return "debug";
  if (call.code === "ok") return "debug";
  return TROUBLES.has(call.code) ? "warn" : "info";
}

const BUGS: ReadonlySet<string> = new Set(["internal", "unknown", "data_loss"]);
const TROUBLES: ReadonlySet<string> = new Set([
  "unavailable",
  "deadline_exceeded",
  "resource_exhausted",
]);

function labelsOf({ method, code }: FinishedCall) {
  const slash = method.lastIndexOf("/");
  // Names that callers invent must not become time series.
  if (code === "unimplemented" || slash < 1) {
    return { grpc_service: "unknown", grpc_method: "unknown", grpc_code: code };
  }
  return {
    grpc_service: method.slice(0, slash),
    grpc_method: method.slice(slash + 1),
    grpc_code: code,
  };
}
