import { destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { prettyFactory } from "pino-pretty";

/** How much is logged; `silent` is nothing at all. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** `json` is one object per line for machines, `pretty` is for people at a terminal. */
export type LogFormat = "json" | "pretty";

/** Writes structured log lines: `logger.info({ field: 1 }, "message")`. */
export type Logger = PinoLogger;

/** Where log lines go; each call bears one or more whole lines. */
export interface LogSink {
  write(lines: string): void;
}

/**
 * Opens the log of a process. Lines go to stdout unless a sink is given; JSON lines are written in
 * batches, at the latest after 100 ms and at exit, so that logging costs a busy service little and
 * loses nothing; but when nobody takes them, lines beyond 16 MiB are dropped.
 */
export function createLogger(options: {
  readonly service: string;
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  readonly sink?: LogSink;
}): Logger {
  const { service, level = "info", format = "json" } = options;
  return pino(
    {
      level,
      base: { service },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError },
    },
    sinkOf(format, options.sink),
  );
}

/**
 * An error as the log shows it: no payload that a driver may have attached, only what names and
 * locates it.
 */
export interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  /** A code of the driver or of the system, such as `23505` or `ECONNREFUSED`. */
  readonly code?: string;
  /** The name of a violated constraint. */
  readonly constraint?: string;
  readonly cause?: ErrorDescription;
  /** The parts of an AggregateError. */
  readonly errors?: readonly ErrorDescription[];
}

/** Describes whatever was thrown, with at most five causes in a row and five parts. */
export function describeError(thrown: unknown, depth = 5): ErrorDescription {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: textOf(thrown) };
  const { code, constraint } = thrown as { code?: unknown; constraint?: unknown };
  return {
    type: thrown.name,
    message: thrown.message,
    ...(thrown.stack !== undefined && { stack: thrown.stack }),
    ...((typeof code === "string" || typeof code === "number") && { code: String(code) }),
    ...(typeof constraint === "string" && { constraint }),
    ...(thrown.cause !== undefined &&
      depth > 0 && { cause: describeError(thrown.cause, depth - 1) }),
    ...(thrown instanceof AggregateError &&
      depth > 0 && { errors: thrown.errors.slice(0, 5).map((part) => describeError(part, 0)) }),
  };
}

function textOf(thrown: unknown): string {
  // An object may hold anything, also what no log may hold, and need not know how to become a text.
  return typeof thrown === "object" && thrown !== null ? "[object Object]" : String(thrown);
}

/** Characters that may wait to be written; without a limit a blocked pipe takes all memory. */
const WAITING_MAX = 16 * 1024 * 1024;

function sinkOf(format: LogFormat, sink: LogSink | undefined): LogSink {
  if (format === "json") {
    const batches = { sync: false, minLength: 4_096, maxLength: WAITING_MAX, periodicFlush: 100 };
    return sink ?? destination({ dest: 1, ...batches });
  }
  const out: LogSink = sink ?? destination({ dest: 1, sync: true });
  // Made in this thread and written at once: a worker would lose the last lines of a dying process.
  const prettify = prettyFactory({
    colorize: sink === undefined && process.stdout.isTTY === true,
    singleLine: true,
    ignore: "service",
    messageFormat: "{service}: {msg}",
    translateTime: "SYS:HH:MM:ss.l",
  });
  return { write: (line) => out.write(prettify(line) ?? "") };
}
