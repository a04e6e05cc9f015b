import type { Pool } from "pg";

/** Notices that no transaction newer than some old one counts as over. */
export interface HeldBack {
  /** Tell it of each snapshot that is taken. */
  see(snapshot: { readonly xmin: bigint; readonly xmax: bigint }): void;
}

/**
 * Says through `onFault` which open transaction holds readers back, once it has done so for
 * `limitMs`, and again after every further `limitMs`.
 */
export function createHeldBack(options: {
  readonly pool: Pool;
  readonly limitMs: number;
  readonly onFault: (error: unknown) => void;
}): HeldBack {
  const { pool, limitMs, onFault } = options;
  let oldest: bigint | undefined;
  let sinceMs = 0;

  return {
    see({ xmin, xmax }) {
      const nowMs = performance.now();
      if (xmin !== oldest || xmin === xmax) {
        oldest = xmin;
        sinceMs = nowMs;
      } else if (nowMs - sinceMs >= limitMs) {
        sinceMs = nowMs;
        describe(pool, xmin).then((who) => onFault(new Error(who)), onFault);
      }
    },
  };
}

async function describe(pool: Pool, xmin: bigint): Promise<string> {
  const { rows } = await pool.query<{ who: string }>(
    `select format('of pid %s (%s, %s) since %s', pid, application_name, state, xact_start) as who
     from pg_stat_activity
     where backend_xid = $1::xid8::xid
     union all
     select format('that was prepared as %L at %s', gid, prepared)
     from pg_prepared_xacts
     where transaction = $1::xid8::xid`,
    [xmin],
  );
  const who = rows[0]?.who ?? "of a session that this user may not see";
  return `feeds are held back by transaction ${xmin} ${who}: end it`;
}
