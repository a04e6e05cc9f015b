import type { Tx } from "@bourse/postgres";
import type { TransferKind } from "../books.ts";
import type { TransferCursor, TransferEntry, TransferFilter } from "../statement.ts";
import { accountIdsOf } from "./accounts.ts";

interface TransferRow {
  readonly kind: TransferKind;
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  readonly amount: string;
  readonly task_id: string;
  readonly created_at: Date;
}

const KINDS: readonly TransferKind[] = ["DEPOSIT", "WITHDRAWAL", "CREDIT"];

/**
 * A page of transfers, oldest first. Each kind of each account has its own way through an index, so
 * that a page costs the same wherever it lies.
 */
export async function listTransfers(
  tx: Tx,
  filter: TransferFilter,
  after: TransferCursor | undefined,
  limit: number,
): Promise<readonly TransferEntry[]> {
  const { owner, kind, from, until } = filter;
  const accounts = owner === undefined ? [] : await accountIdsOf(tx, owner);
  const [sources, ofAccount] =
    owner === undefined
      ? ["", ""]
      : ["cross join unnest($8::bigint[]) as wanted (account)", "and account = wanted.account"];
  const { rows } = await tx.query<TransferRow>(
    `select t.kind, t.id, a.owner, a.currency, t.amount, t.task_id, t.created_at
     from unnest($1::transfer_kind[]) as kinds (kind)
     ${sources}
     cross join lateral (
       select kind, id, account, amount, task_id, created_at from transfers
       where kind = kinds.kind ${ofAccount}
         and not burnt
         and ($2::timestamptz is null or created_at >= $2)
         and ($3::timestamptz is null or created_at < $3)
         and ($4::timestamptz is null or created_at >= $4)
         and ($4::timestamptz is null or (created_at, kind, id) > ($4, $5::transfer_kind, $6::text))
       order by created_at, id
       limit $7
     ) as t
     join accounts a on a.id = t.account
     order by t.created_at, t.kind, t.id
     limit $7`,
    [
      kind === undefined ? KINDS : [kind],
      ...[from ?? null, until ?? null],
      ...[after?.createdAt ?? null, after?.kind ?? null, after?.id ?? null],
      limit,
      ...(owner === undefined ? [] : [accounts]),
    ],
  );
  return rows.map(({ amount, task_id, created_at, ...row }) => ({
    ...row,
    amount: BigInt(amount),
    taskId: task_id,
    createdAt: created_at,
  }));
}
