import type { Tx } from "@bourse/postgres";
import type { Batch } from "../journal.ts";

/** What a movement that is gone has left elsewhere in the books. */
export interface Trace {
  /** The id of the movement, where something still names it; else "". */
  readonly entry: string;
  /** For people. */
  readonly told: string;
}

/**
 * Looks for what lost a movement of a batch: what was written with it bears the batch's time.
 * @returns at most `limit` traces, those that name a movement first
 */
export async function tracesOf(tx: Tx, batch: Batch, limit: number): Promise<readonly Trace[]> {
  const { rows } = await tx.query<Trace>(
    `with promised as (
       select part.hold_id, part.transaction_id from movements part
       join transactions t on t.id = part.transaction_id
       where t.created_at = $2 and part.hold_id is not null
       union
       select h.id, h.transaction_id from holds h
       join transactions t on t.id = h.transaction_id
       where t.created_at = $2
     ),
     resolved as (
       select hold.id, hold.amount from transactions t
       join movements hold on hold.transaction_id = t.id and hold.kind = 'HOLD'
       where t.updated_at = $2 and not exists (select from holds where holds.id = hold.id)
     )
     select hold_id::text as entry,
       'movement ' || hold_id || ', the HOLD of transaction ' || transaction_id as told
     from promised
     where not exists (select from movements m where m.id = promised.hold_id)
     union all
     select '', 'the movement of ' || kind || ' ' || id from transfers
     where created_at = $2 and not burnt
       and not exists (select from movements m where m.batch = $1 and m.transfer = transfers.id)
     union all
     select '', 'a POST or RELEASE of hold ' || id from resolved
     where amount > (
       select coalesce(sum(part.amount), 0) from movements part where part.hold_id = resolved.id
     )
     order by entry desc, told
     limit $3`,
    [batch.sequence, batch.recordedAt, limit],
  );
  return rows;
}
