export { observeCall } from "./call.ts";
export { businessEvents, type EventFields, type EventValue } from "./event.ts";
export {
  createLogger,
  describeError,
  type ErrorDescription,
  type LogFormat,
  type Logger,
  type LogLevel,
  type LogSink,
} from "./logger.ts";
export {
  type CallLabel,
  type CallMetrics,
  createMetrics,
  type Labels,
  type Metrics,
  type Reading,
} from "./metrics.ts";
export { type MetricsServer, serveMetrics } from "./serve-metrics.ts";
export { gatheredMetrics, shareMetrics } from "./worker-metrics.ts";
