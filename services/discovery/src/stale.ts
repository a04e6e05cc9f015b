import type { Roster } from "@bourse/roster";
import { Rejection } from "@bourse/rpc/rejection";

/** What an answer says of how well it is known who is there. */
export interface Staleness {
  readonly stale?: true;
}

const KNOWN: Staleness = {};
const STALE: Staleness = { stale: true };

/** Says it of the answers that are given now. */
export function stalenessOf(roster: Pick<Roster, "staleSinceMs">): Staleness {
  return roster.staleSinceMs() === undefined ? KNOWN : STALE;
}

/** A refusal that says it; others than NO_ELIGIBLE_AGENTS are as they were. */
export function staleRefusal(error: unknown): unknown {
  if (!(error instanceof Rejection) || error.reason !== "NO_ELIGIBLE_AGENTS") return error;
  const text = `${error.message}; who is there is as last known: the registry or its store of leases is away`;
  return new Rejection(error.reason, text, { metadata: { ...error.metadata, stale: "true" } });
}
