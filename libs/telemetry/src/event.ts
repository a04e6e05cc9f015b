import type { Logger } from "./logger.ts";

/**
 * What a field of a business event may hold: facts and ids, no objects, so that no payload slips
 * in.
 */
export type EventValue = string | number | bigint | boolean | undefined;

/** The facts of an event; the names that every log line has are not theirs to take. */
export type EventFields = Readonly<Record<string, EventValue>> & {
  readonly [K in "event" | "level" | "msg" | "service" | "time"]?: never;
};

/**
 * Returns the function that tells of business events: one line for each, with its name as `event`;
 * at `debug` those that come by the thousand and stand in a book of their own besides.
 *
 * A service declares its events once: `type Events = { task_awarded: { task_id: string;
 * price_micros: bigint } }`, then `const tell = businessEvents<Events>(logger)`. Field names are
 * snake_case; a bigint is written as a string.
 */
export function businessEvents<E extends { readonly [K in keyof E]: EventFields }>(
  logger: Logger,
  level: "info" | "debug" = "info",
): <K extends keyof E & string>(event: K, fields: E[K]) => void {
  return (event, fields) => {
    if (!logger.isLevelEnabled(level)) return;
    const entries = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "bigint" ? value.toString() : value,
    ]);
    logger[level]({ ...Object.fromEntries(entries), event }, event);
  };
}
