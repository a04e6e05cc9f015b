import type { BenchDatabase } from "../server.ts";
import type { Disk } from "./figures.ts";

/** Reads what the ledger takes up, its partitions and indexes included. */
export async function readDisk({ pool }: BenchDatabase): Promise<Disk> {
  const { rows } = await pool.query<{ movements: string; own: string; all: string }>(`
    select (select count(*) from ledger.movements) as movements,
      (select sum(pg_total_relation_size(part)) from (
        select relid as part from pg_partition_tree('ledger.movement_pages')
        union select relid from pg_partition_tree('ledger.movement_rows')
      ) as parts) as own,
      (select sum(pg_total_relation_size(oid)) from pg_class
        where relnamespace = 'ledger'::regnamespace and relkind = 'r') as all
  `);
  const { movements = "0", own = "0", all = "0" } = rows[0] ?? {};
  const per = (bytes: string) => Number(bytes) / Math.max(1, Number(movements));
  return {
    movements: Number(movements),
    bytesPerMovement: per(own),
    schemaBytesPerMovement: per(all),
  };
}
