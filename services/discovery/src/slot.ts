import { Rejection } from "@bourse/rpc/rejection";
import { noEligibleAgents } from "./selection.ts";

/** A place at an agent that was taken for the caller. */
export interface Place {
  readonly agentId: string;
  readonly slotId: string;
  readonly expireAt: Date;
}

/** Why an agent has no place to give; "away": what is stored of its places cannot be read, that of others may be. */
export type NoPlace = "full" | "share_taken" | "not_available" | "away";

/** Where places at agents are taken. */
export interface Places {
  /** Takes a place; idempotent by slotId. @throws Rejection SLOTS_UNAVAILABLE */
  acquire(agentId: string, slotId: string): Promise<Place | NoPlace>;
  /** Gives a place back if it can; else it ends by itself. */
  release(agentId: string, slotId: string): void;
}

/** A pick, whatever else is told of it. */
export interface Picked {
  readonly agentId: string;
  /** How many there were to choose from, or about how many. */
  readonly eligibleCount: number;
  readonly isEstimate: boolean;
}

/** How a pick comes with a place. */
export interface SlotParts<P extends Picked> {
  readonly places: Places;
  readonly newId: () => string;
  /** Picks an agent that is none of these. @throws Rejection NO_ELIGIBLE_AGENTS */
  readonly pick: (excluded: ReadonlySet<string>) => Promise<P>;
  /** How many agents there are. */
  readonly total: () => number;
  /** Aborts when the caller has left. */
  readonly signal: AbortSignal;
}

/** So many agents are asked for a place. */
const TRIES_MAX = 10;
/** So many of which it cannot be read: where nothing can be, each pick costs as many questions. */
const AWAY_MAX = 5;

/**
 * Picks an agent and takes a place at it; one that has none is passed over.
 * @throws Rejection NO_ELIGIBLE_AGENTS when nobody who passes had a place; SLOTS_UNAVAILABLE when somebody may have one
 */
export async function pickWithSlot<P extends Picked>(
  parts: SlotParts<P>,
  excluded: ReadonlySet<string>,
): Promise<{ readonly picked: P; readonly place: Place }> {
  const { places, signal } = parts;
  const tried = new Map<string, NoPlace>();
  for (;;) {
    const picked = await pickOther(parts, excluded, tried);
    const { agentId } = picked;
    const slotId = parts.newId();
    const place = await places.acquire(agentId, slotId);
    if (typeof place === "object") {
      if (!signal.aborted) return { picked, place };
      places.release(agentId, slotId);
      throw signal.reason;
    }
    tried.set(agentId, place);
    if (awayIn(tried) >= AWAY_MAX) throw slotsUnavailable();
    const untried = Math.max(picked.eligibleCount - 1, picked.isEstimate ? 1 : 0);
    if (tried.size >= TRIES_MAX && untried > 0) {
      if (awayIn(tried) > 0) throw slotsUnavailable();
      throw noEligibleAgents({ total: parts.total(), ...countsOf(tried), untried });
    }
  }
}

async function pickOther<P extends Picked>(
  parts: SlotParts<P>,
  excluded: ReadonlySet<string>,
  tried: ReadonlyMap<string, NoPlace>,
): Promise<P> {
  try {
    return await parts.pick(tried.size === 0 ? excluded : new Set([...excluded, ...tried.keys()]));
  } catch (error) {
    if (awayIn(tried) > 0 && isNobody(error)) throw slotsUnavailable(error);
    throw tried.size === 0 ? error : retold(error, tried);
  }
}

function awayIn(tried: ReadonlyMap<string, NoPlace>): number {
  return [...tried.values()].filter((lack) => lack === "away").length;
}

/** The refusal of a pick whose place nobody can tell of. */
export function slotsUnavailable(cause?: unknown): Rejection {
  const text = "no place can be taken: the registry, or its store of leases, is away";
  const rejection = new Rejection("SLOTS_UNAVAILABLE", text, { retryAfterMs: 1_000 });
  rejection.cause = cause;
  return rejection;
}

function isNobody(error: unknown): error is Rejection {
  return error instanceof Rejection && error.reason === "NO_ELIGIBLE_AGENTS";
}

/** The refusal with those who were tried counted by what they lacked, and not as excluded. */
export function retold(error: unknown, tried: ReadonlyMap<string, string>): unknown {
  if (!isNobody(error)) return error;
  const counts = new Map(Object.entries(error.metadata).map(([name, n]) => [name, Number(n)]));
  const add = (name: string, count: number) => counts.set(name, (counts.get(name) ?? 0) + count);
  for (const [name, count] of Object.entries(countsOf(tried))) {
    // Whoever has left meanwhile is not among the excluded any more.
    const moved = Math.min(count, counts.get("excluded") ?? 0);
    add("excluded", -moved);
    if (moved > 0) add(name, moved);
  }
  if (counts.get("excluded") === 0) counts.delete("excluded");
  return noEligibleAgents(Object.fromEntries(counts));
}

function countsOf(tried: ReadonlyMap<string, string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const lack of tried.values()) counts[lack] = (counts[lack] ?? 0) + 1;
  return counts;
}
