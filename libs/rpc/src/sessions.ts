import type { Connection } from "./http2/connection.ts";

/** How connections are kept, in milliseconds. */
export interface SessionLimits {
  /** A connection is pinged when this long has passed since the last time. */
  readonly pingEveryMs: number;
  /** One that has not answered a ping after this is cut. */
  readonly pingTimeoutMs: number;
  /**
   * One older than this takes no more calls, so that its client meets new replicas; up to a tenth
   * more, so that not all that came at once leave at once.
   */
  readonly maxAgeMs: number;
  /** Its calls that are under way have this long. */
  readonly graceMs: number;
}

const LIMITS: SessionLimits = {
  pingEveryMs: 30_000,
  pingTimeoutMs: 10_000,
  maxAgeMs: 30 * 60_000,
  graceMs: 10 * 60_000,
};

const MAX_AGE_SPREAD = 0.1;

/** The connections of a server. */
export interface Sessions {
  add(session: Connection): void;
  /** It is gone. */
  remove(session: Connection): void;
  /** Takes no more calls on any of them; each goes when its last call has ended. */
  close(): void;
}

interface Kept {
  readonly maxAgeMs: number;
  readonly sinceMs: number;
  pingedMs: number;
  answered: boolean;
}

/** Keeps connections: finds the dead by pings, and lets the old go. */
export function createSessions(limits: SessionLimits = LIMITS): Sessions {
  const sessions = new Map<Connection, Kept>();
  let closed = false;

  function ping(session: Connection, kept: Kept, nowMs: number): void {
    kept.pingedMs = nowMs;
    kept.answered = false;
    session.ping(() => {
      kept.answered = true;
    });
  }

  function look(session: Connection, kept: Kept, nowMs: number): void {
    const ageMs = nowMs - kept.sinceMs;
    const silentMs = nowMs - kept.pingedMs;
    const isDead = !kept.answered && silentMs >= limits.pingTimeoutMs;
    if (isDead || ageMs >= kept.maxAgeMs + limits.graceMs) session.destroy();
    else if (ageMs >= kept.maxAgeMs && !session.isClosing) session.close();
    else if (silentMs >= limits.pingEveryMs) ping(session, kept, nowMs);
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const [session, kept] of sessions) look(session, kept, nowMs);
  }, limits.pingTimeoutMs).unref();

  return {
    add(session) {
      const nowMs = performance.now();
      const maxAgeMs = limits.maxAgeMs * (1 + Math.random() * MAX_AGE_SPREAD);
      sessions.set(session, { maxAgeMs, sinceMs: nowMs, pingedMs: nowMs, answered: true });
      if (closed) session.close();
    },
    remove(session) {
      sessions.delete(session);
      if (closed && sessions.size === 0) clearInterval(timer);
    },
    close() {
      closed = true;
      for (const session of sessions.keys()) session.close();
      if (sessions.size === 0) clearInterval(timer);
    },
  };
}
