import { createLogger, type LogFormat, type Logger, type LogLevel } from "@bourse/telemetry";

/** A logger and the lines it has written so far. */
export function recordedLogger(options: { level?: LogLevel; format?: LogFormat } = {}): {
  readonly logger: Logger;
  readonly lines: readonly string[];
  /** The lines as objects, without their time. */
  objects(): readonly Record<string, unknown>[];
} {
  const lines: string[] = [];
  const logger = createLogger({
    service: "ledger",
    ...options,
    sink: { write: (text) => lines.push(...text.split("\n").filter((line) => line !== "")) },
  });
  return {
    logger,
    lines,
    objects: () =>
      lines.map((line) => {
        const { time: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return rest;
      }),
  };
}
