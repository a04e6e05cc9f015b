import { Rejection } from "@bourse/rpc/rejection";
import { KEPT_MS } from "./availability-store.ts";
import type { Reason } from "./reasons.ts";

/** Where a watcher stopped: in the table, and in time for what is not in the table. */
export interface ResumePoint {
  readonly feedToken: string;
  readonly since: Date;
}

/** Clocks of replicas and of Redis may differ by this much; a watcher hears of so much again. */
const SKEW_MS = 30_000;

/** The token of a point in the feed, given out at `at`. */
export function formatResumeToken(feedToken: string, at: Date): string {
  return `${feedToken}.${at.getTime()}`;
}

/**
 * Reads a token; undefined for none.
 * @throws Rejection INVALID_RESUME_TOKEN when it is none of this service or older than a day
 */
export function parseResumeToken(token: string, now: Date): ResumePoint | undefined {
  if (token === "") return undefined;
  const match = /^(.+)\.(\d{1,15})$/.exec(token);
  if (match === null) throw invalid("resume_token is not a token of this service");
  const [, feedToken = "", givenMs = ""] = match;
  // A clock that was set back must not hide what has changed since.
  const sinceMs = Math.min(Number(givenMs), now.getTime()) - SKEW_MS;
  if (sinceMs < now.getTime() - KEPT_MS) throw invalid("resume_token is too old");
  return { feedToken, since: new Date(sinceMs) };
}

function invalid(why: string): Rejection {
  const reason: Reason = "INVALID_RESUME_TOKEN";
  return new Rejection(reason, `${why}: watch anew without one`, {
    faults: [{ field: "resume_token", reason, description: why }],
  });
}
