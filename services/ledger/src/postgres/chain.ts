import type { Tx } from "@bourse/postgres";
import { merkleRoot } from "@bourse/proof";
import { type Batch, batchHash, eventHash, GENESIS_HASH, movementHash } from "../journal.ts";
import type { MovementKind } from "../movement.ts";
import type { ChainReport } from "../store.ts";
import { readHead } from "./journal.ts";
import { EVENT_COLUMNS, type EventRow, toEvent } from "./lineage.ts";

interface BatchRow {
  readonly sequence: string;
  readonly recorded_at: Date;
  readonly entries: number;
  readonly root: Uint8Array;
  readonly hash: Uint8Array;
}

interface MovementRow {
  readonly id: string;
  readonly batch: string;
  readonly nth: number;
  readonly kind: MovementKind;
  readonly debit_account: string;
  readonly credit_account: string;
  readonly amount: string;
  readonly transaction_id: string | null;
  readonly transfer: string | null;
  readonly hold_id: string | null;
  readonly created_at: Date;
  readonly hash: Uint8Array;
}

/** Walks the journal from its first batch, `pageSize` batches at a time; run it on one snapshot. */
export async function verifyChain(tx: Tx, pageSize = 200): Promise<ChainReport> {
  let head: ChainReport["head"] = { sequence: 0n, hash: GENESIS_HASH };
  let entries = 0n;
  for (;;) {
    const { rows } = await tx.query<BatchRow>(
      `select sequence, recorded_at, entries, root, hash from batches
       where sequence > $1 order by sequence limit $2`,
      [head.sequence, pageSize],
    );
    const last = rows.at(-1);
    if (last === undefined) break;
    const leaves = await leavesOf(tx, head.sequence, BigInt(last.sequence));
    for (const row of rows) {
      const batch = toBatch(row);
      const found = leaves.get(batch.sequence) ?? [];
      const fault = faultOf(head, batch, found);
      if (fault !== undefined) {
        return { entries, head, broken: { sequence: head.sequence + 1n, ...fault } };
      }
      entries += BigInt(batch.entries);
      head = { sequence: batch.sequence, hash: batch.hash };
    }
  }
  const told = await readHead(tx, "");
  if (told?.sequence !== head.sequence || !told.hash.equals(head.hash)) {
    const broken = { sequence: head.sequence + 1n, fault: "HEAD_MISMATCH", entry: "" } as const;
    return { entries, head, broken };
  }
  return { entries, head, broken: undefined };
}

interface Leaf {
  readonly entry: string;
  readonly nth: number;
  readonly told: Buffer;
  readonly made: Buffer;
}

function faultOf(
  head: { readonly sequence: bigint; readonly hash: Buffer },
  batch: Batch,
  leaves: readonly Leaf[],
) {
  if (batch.sequence !== head.sequence + 1n) return { fault: "SEQUENCE_GAP", entry: "" } as const;
  const changed = leaves.find(({ told, made }) => !told.equals(made));
  if (changed !== undefined) return { fault: "ENTRY_CHANGED", entry: changed.entry } as const;
  const moved = leaves.find(({ nth }, place) => nth !== place);
  if (moved !== undefined) return { fault: "ENTRY_MISPLACED", entry: moved.entry } as const;
  if (leaves.length !== batch.entries) {
    return { fault: "ENTRY_MISSING", entry: leaves.at(-1)?.entry ?? "" } as const;
  }
  if (!merkleRoot(leaves.map(({ told }) => told)).equals(batch.root)) {
    return { fault: "ROOT_MISMATCH", entry: "" } as const;
  }
  return batchHash(head.hash, batch).equals(batch.hash)
    ? undefined
    : ({ fault: "HASH_MISMATCH", entry: "" } as const);
}

async function leavesOf(tx: Tx, after: bigint, until: bigint): Promise<Map<bigint, Leaf[]>> {
  const movements = await tx.query<MovementRow>(
    `select id, batch, nth, kind, debit_account, credit_account, amount, transaction_id, transfer,
       hold_id, created_at, hash
     from movements where batch > $1 and batch <= $2`,
    [after, until],
  );
  const events = await tx.query<EventRow>(
    `select ${EVENT_COLUMNS} from lineage_events where batch > $1 and batch <= $2`,
    [after, until],
  );
  const leaves = [...movements.rows.map(movementLeaf), ...events.rows.map(eventLeaf)];
  const batches = Map.groupBy(leaves, ({ batch }) => batch);
  for (const all of batches.values()) all.sort((a, b) => a.nth - b.nth);
  return batches;
}

function movementLeaf(row: MovementRow) {
  const made = movementHash({
    id: row.id,
    kind: row.kind,
    debit: BigInt(row.debit_account),
    credit: BigInt(row.credit_account),
    amount: BigInt(row.amount),
    transactionId: row.transaction_id ?? undefined,
    transfer: row.transfer ?? undefined,
    holdId: row.hold_id ?? undefined,
    createdAt: row.created_at,
  });
  const told = Buffer.from(row.hash);
  return { batch: BigInt(row.batch), nth: row.nth, entry: row.id, told, made };
}

function eventLeaf(row: EventRow) {
  const event = toEvent(row);
  const { batch, nth, eventId: entry, hash: told } = event;
  return { batch, nth, entry, told, made: eventHash(event) };
}

function toBatch(row: BatchRow): Batch {
  return {
    sequence: BigInt(row.sequence),
    recordedAt: row.recorded_at,
    entries: row.entries,
    root: Buffer.from(row.root),
    hash: Buffer.from(row.hash),
  };
}
