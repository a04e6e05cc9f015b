import { Rejection } from "@bourse/rpc/rejection";
import type { Pool } from "pg";

/** Where a database stands: transactions below `xmin` are over, those from `xmax` on have not begun. */
export interface Head {
  /**
   * Names the cluster, its timeline (which changes with a fail-over or a restore), the database, and the last crash. A
   * crash forgets the ids of transactions that were over but not yet on the disk, and they are given out again: a token
   * beyond them would miss what they change.
   */
  readonly database: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
}

/** Reads it. */
export async function readHead(pool: Pool): Promise<Head> {
  const { rows } = await pool.query<{ database: string; xmin: string; xmax: string }>({
    name: "feed-head",
    text: `select
        to_hex(control.system_identifier) || '-' ||
        ltrim(left(pg_walfile_name(pg_current_wal_lsn()), 8), '0') || '-' ||
        (select oid from pg_database where datname = current_database()) || '-' ||
        -- Statistics outlive a clean stop, and begin anew when the server recovers from a crash.
        to_hex((extract(epoch from archiver.stats_reset) * 1000000)::bigint) as database,
        pg_snapshot_xmin(snapshot) as xmin,
        pg_snapshot_xmax(snapshot) as xmax
      from pg_control_system() control, pg_current_snapshot() snapshot, pg_stat_archiver archiver`,
  });
  const [row] = rows;
  if (row === undefined) throw new Error("the database does not say where it stands");
  return { database: row.database, xmin: BigInt(row.xmin), xmax: BigInt(row.xmax) };
}

/** The token of a follower that has been given all below a head. */
export function formatToken(head: Head): string {
  return `${head.database}.${head.xmin}`;
}

/**
 * The transaction from which a follower with this token goes on.
 * @throws Rejection INVALID_RESUME_TOKEN
 */
export function parseToken(token: string, head: Head): bigint {
  const match = /^([0-9a-zA-Z-]+)\.(\d{1,20})$/.exec(token);
  if (match === null) throw invalidToken("resume_token is not a token of this service");
  if (match[1] !== head.database) throw invalidToken("resume_token is of another database");
  const from = BigInt(match[2] ?? "");
  if (from > head.xmax) throw invalidToken("resume_token is ahead of the database");
  return from;
}

/** The refusal of a token. */
export function invalidToken(why: string): Rejection {
  return new Rejection("INVALID_RESUME_TOKEN", `${why}: watch anew without one`, {
    faults: [
      {
        field: "resume_token",
        reason: "INVALID_RESUME_TOKEN",
        description: "must be a resume_token that this database gave out",
      },
    ],
  });
}
