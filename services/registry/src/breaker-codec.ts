import {
  BreakerCause,
  type Breaker as BreakerMessage,
  BreakerSchema,
  BreakerState,
  type CallReport,
  CallResult,
} from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Breaker,
  type BreakerEvent,
  type BreakerPhase,
  type BreakerCause as Cause,
  phaseOf,
  type Reporter,
} from "./breaker.ts";
import type { NamedBreaker } from "./breaker-store.ts";

const STATES = {
  CLOSED: BreakerState.CLOSED,
  OPEN: BreakerState.OPEN,
  HALF_OPEN: BreakerState.HALF_OPEN,
} as const satisfies Record<BreakerPhase, BreakerState>;

const PHASES = ["CLOSED", "OPEN", "HALF_OPEN"] as const;

const CAUSES = {
  FAILURE: BreakerCause.FAILURE,
  TIMEOUT: BreakerCause.TIMEOUT,
  CALIBRATION: BreakerCause.CALIBRATION,
} as const satisfies Record<Cause, BreakerCause>;

const KINDS: Partial<Record<CallResult, "success" | "failure" | "timeout">> = {
  [CallResult.SUCCESS]: "success",
  [CallResult.FAILURE]: "failure",
  [CallResult.TIMEOUT]: "timeout",
};

/** The phase that a state names; undefined for none. */
export function decodePhase(state: BreakerState): BreakerPhase | undefined {
  return PHASES.find((phase) => STATES[phase] === state);
}

/** A breaker as callers see it at `now`. */
export function encodeBreaker(
  capability: string,
  breaker: Breaker | undefined,
  now: Date,
): BreakerMessage {
  const phase = phaseOf(breaker, now.getTime());
  const opening = phase === "CLOSED" ? undefined : breaker?.opening;
  return create(BreakerSchema, {
    capability,
    state: STATES[phase],
    ...(opening !== undefined && {
      cause: CAUSES[opening.cause],
      openTime: timestampFromMs(opening.atMs),
      retryTime: timestampFromMs(opening.retryMs),
      backoff: durationFromMs(opening.retryMs - opening.atMs),
      successes: opening.successes,
    }),
  });
}

/** The breakers of an agent as callers see them at `now`. */
export function encodeBreakers(breakers: readonly NamedBreaker[], now: Date): BreakerMessage[] {
  return breakers.map(({ capability, breaker }) => encodeBreaker(capability, breaker, now));
}

/** What a valid report tells of a call. */
export function decodeReport(report: CallReport, reporter: Reporter): BreakerEvent {
  return { kind: callKind(report), reporter, reportId: report.reportId };
}

/** How a call ended. */
export function callKind({ result }: CallReport): "success" | "failure" | "timeout" {
  return KINDS[result] ?? "failure";
}
