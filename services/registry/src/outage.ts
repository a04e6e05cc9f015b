import type { Presence } from "./availability.ts";

/** A time in which no sign of life could be written down, in milliseconds. */
export interface Outage {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** So many are remembered one by one. */
const OUTAGES_MAX = 16;

/** The outages with one more, which is the latest; the two that are longest past are then taken for one. */
export function withOutage(outages: readonly Outage[], latest: Outage): readonly Outage[] {
  const all = [...outages, latest];
  const [first, second] = all;
  if (all.length <= OUTAGES_MAX || first === undefined || second === undefined) return all;
  return [{ sinceMs: first.sinceMs, untilMs: second.untilMs }, ...all.slice(2)];
}

/**
 * When a lease ends that an agent had until `leaseExpireAt`, in milliseconds; 0 for none. One that held when an outage
 * began holds until that is over, and then for its whole length, so that whoever is there can be heard of again. One
 * that was renewed since is as it is.
 */
export function leaseEndMs(
  { leaseExpireAt, heardAt }: Pick<Presence, "leaseExpireAt" | "heardAt">,
  outages: readonly Outage[],
): number {
  if (leaseExpireAt === undefined || heardAt === undefined) return 0;
  let endMs = leaseExpireAt.getTime();
  const lengthMs = endMs - heardAt.getTime();
  for (const { sinceMs, untilMs } of outages) {
    if (endMs > sinceMs) endMs = Math.max(endMs, untilMs + lengthMs);
  }
  return endMs;
}

/**
 * What is to be told of an agent of which the store knows `found`, and this replica had known `before`: the store may
 * have forgotten whose lease goes on. The slots are those that the store knows of.
 */
export function afterOutages(
  found: Presence | undefined,
  before: Presence | undefined,
  outages: readonly Outage[],
): Presence | undefined {
  const heard = found?.heardAt === undefined ? before : found;
  if (heard?.leaseExpireAt === undefined) return found;
  const endMs = leaseEndMs(heard, outages);
  if (endMs === heard.leaseExpireAt.getTime()) return found;
  const { openSlots = 0, slotsChangedAt } = found ?? {};
  return { ...heard, openSlots, slotsChangedAt, leaseExpireAt: new Date(endMs) };
}
