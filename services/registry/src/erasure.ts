import { Rejection } from "@bourse/rpc/rejection";
import type { Reason } from "./reasons.ts";

/**
 * The services that erase an agent, in their order. What the auction still has to tell of an agent is told before the
 * ledger forgets who it was; the registry is the last, since outcomes are told to it.
 */
export const ERASERS = ["auction", "ledger", "registry"] as const;

/** A service that erases. */
export type Eraser = (typeof ERASERS)[number];

/** An erasure; it does not say of whom. */
export interface Erasure {
  readonly id: string;
  /** What stands where the agent's id stood. */
  readonly alias: string;
  readonly requestedAt: Date;
  readonly completedAt: Date | undefined;
  /** In the order of ERASERS. */
  readonly steps: readonly ErasureStep[];
}

/** How far one service is with an erasure. */
export interface ErasureStep {
  readonly service: string;
  readonly completedAt: Date | undefined;
  /** Why it could not be done when it was last tried; undefined before and afterwards. */
  readonly refusal: StepRefusal | undefined;
}

/** Why a service could not erase. */
export interface StepRefusal {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly at: Date;
}

/** What a service is asked to do. */
export interface ErasureOrder {
  readonly erasureId: string;
  readonly agentId: string;
  readonly alias: string;
}

/** Rows of agents that were taken away from followers of the table. */
export interface Removals {
  readonly rows: bigint;
  /** The latest change of any of them. */
  readonly changedIn: bigint;
}

/** An erasure that begins now. */
export function beginErasure(id: string, alias: string, now: Date): Erasure {
  const steps = ERASERS.map((service) => {
    return { service, completedAt: undefined, refusal: undefined };
  });
  return { id, alias, requestedAt: now, completedAt: undefined, steps };
}

/**
 * Checks that none of the ids was erased.
 * @throws Rejection AGENT_ERASED that names them all
 */
export function refuseErased(
  agentIds: readonly string[],
  erased: ReadonlySet<string>,
  fieldOf: (index: number) => string,
): void {
  const taken = agentIds.flatMap((agentId, index) =>
    erased.has(agentId) ? [{ agentId, index }] : [],
  );
  if (taken.length === 0) return;
  const reason: Reason = "AGENT_ERASED";
  const names = taken.map(({ agentId }) => `'${agentId}'`).join(", ");
  throw new Rejection(reason, `erased, and never to be registered again: ${names}`, {
    metadata: { agent_ids: taken.map(({ agentId }) => agentId).join(",") },
    faults: taken.map(({ agentId, index }) => {
      return { field: fieldOf(index), reason, description: `agent_id '${agentId}' was erased` };
    }),
  });
}

/**
 * Whether a follower of the table may have missed that an agent left: it stands at or before the last change of a row
 * that was taken away since it began. `known` is how many had been taken away when its snapshot began; undefined when
 * it resumed one of before.
 */
export function hasMissed(removals: Removals, from: bigint, known: bigint | undefined): boolean {
  return from > 0n && removals.rows !== (known ?? 0n) && removals.changedIn >= from;
}
