import { status } from "@grpc/grpc-js";

/** What a call says of the agent: answered, failed or not reached, not answered in time. */
export type Result = "SUCCESS" | "FAILURE" | "TIMEOUT";

/** What the end of a call says of the agent. */
export interface Verdict {
  readonly result: Result;
  /** It takes no calls now, so that the next one would fail too. */
  readonly away: boolean;
}

const AWAY: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
]);
const FAULTS: ReadonlySet<status> = new Set([status.INTERNAL, status.UNKNOWN, status.DATA_LOSS]);

/**
 * What a status says of the agent: an error that is the caller's own counts as an answer.
 * Undefined when it says nothing, because the caller called it off.
 */
export function verdictOf(code: status): Verdict | undefined {
  if (code === status.CANCELLED) return undefined;
  if (code === status.DEADLINE_EXCEEDED) return { result: "TIMEOUT", away: false };
  const away = AWAY.has(code);
  return { result: away || FAULTS.has(code) ? "FAILURE" : "SUCCESS", away };
}
