import type { Logger } from "@bourse/telemetry";

/** The end of a process: who asked for it, and whether it is a failure. */
export interface Shutdown extends Disposable {
  /** Aborts when the end begins. */
  readonly signal: AbortSignal;
  /** Resolves when the end begins. */
  readonly begun: Promise<void>;
  /** Logs an error, makes the exit code 1 and begins the end. */
  fail(error: unknown, message: string): void;
}

/** Begins the end on SIGTERM, SIGINT and errors that nothing caught, until it is disposed. */
export function watchShutdown(name: string, logger: Logger): Shutdown {
  const controller = new AbortController();
  const { signal } = controller;

  function fail(error: unknown, message: string): void {
    process.exitCode = 1;
    logger.fatal({ event: "failed", err: error }, message);
    controller.abort();
  }
  function stop(cause: NodeJS.Signals): void {
    if (signal.aborted) return;
    logger.info({ event: "stopping", signal: cause }, `${name} stops on ${cause}`);
    controller.abort();
  }
  // Node hands unhandled rejections to this event too.
  function crash(error: unknown): void {
    fail(error, `${name} met an error that nothing caught`);
  }
  process.on("SIGTERM", stop).on("SIGINT", stop).on("uncaughtException", crash);

  return {
    signal,
    begun: new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    }),
    fail,
    [Symbol.dispose]() {
      process.off("SIGTERM", stop).off("SIGINT", stop).off("uncaughtException", crash);
    },
  };
}
