import { type Pool, type Tx, withTransaction } from "@bourse/postgres";
import {
  type Checkpoint,
  leafHash,
  merkleRoot,
  type Range,
  rootsOf,
  type Span,
  TILE_WIDTH,
  tilesBetween,
} from "@bourse/proof";
import { refuse } from "../refusal.ts";
import type { QueryOptions } from "../store.ts";

/** How far the log is, of one instant. */
export interface LogState {
  readonly origin: string;
  /** How many batches there are. */
  readonly size: number;
  /** How many of them the tiles cover. */
  readonly tiled: number;
}

/** Leaves that are made tiles of at once: while they are hashed, the process answers nobody. */
const LEAVES_MAX = 16 * TILE_WIDTH;

/** Reads how far the log is. */
export async function readLog(tx: Tx, lock: "for update of log" | "" = ""): Promise<LogState> {
  const { rows } = await tx.query<{ origin: string; tiled: string; sequence: string }>(
    `select origin, tiled, sequence from log, journal_head ${lock}`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the journal or its log has lost its row");
  return { origin: row.origin, size: Number(row.sequence), tiled: Number(row.tiled) };
}

/**
 * Writes the tiles that are complete by now. Any number of processes may do so at once; nobody who
 * writes the books waits for it.
 */
export async function completeTiles(pool: Pool, options: QueryOptions): Promise<void> {
  for (let more = isBehind(await readLog(pool)); more; ) {
    more = await withTransaction(
      pool,
      async (tx) => {
        const log = await readLog(tx, "for update of log");
        const until = Math.min(log.size - (log.size % TILE_WIDTH), log.tiled + LEAVES_MAX);
        for (let level = 1; TILE_WIDTH ** level <= until; level += 1) {
          await completeLevel(tx, level, log.tiled, until);
        }
        await tx.query("update log set tiled = $1", [until]);
        return isBehind({ ...log, tiled: until });
      },
      options,
    );
  }
}

function isBehind({ size, tiled }: LogState): boolean {
  return size - tiled >= TILE_WIDTH;
}

async function completeLevel(tx: Tx, level: number, from: number, until: number): Promise<void> {
  const tiles = tilesBetween(from, until, level);
  if (tiles === undefined) return;
  const below = {
    level: level - 1,
    from: tiles.from * TILE_WIDTH,
    count: tiles.count * TILE_WIDTH,
  };
  const [hashes = []] = await readSpans(tx, [below]);
  const roots = Array.from({ length: tiles.count }, (_, nth) =>
    merkleRoot(hashes.slice(nth * TILE_WIDTH, (nth + 1) * TILE_WIDTH)),
  );
  await tx.query(
    `insert into log_tiles (level, nth, root)
     select $1, $2::bigint + place - 1, root
     from unnest($3::bytea[]) with ordinality as new (root, place)`,
    [level, tiles.from, roots],
  );
}

/**
 * The roots of ranges of the log's leaves.
 * @throws Error when a batch or a tile is not there
 */
export function rootsIn(
  tx: Tx,
  ranges: readonly Range[],
  { tiled }: LogState,
): Promise<readonly Buffer[]> {
  return rootsOf(ranges, (spans) => readSpans(tx, spans), tiled);
}

/**
 * The log when it had `size` batches.
 * @throws Rejection LOG_SIZE_OUT_OF_RANGE when it has fewer
 */
export async function checkpointOf(tx: Tx, log: LogState, size: number): Promise<Checkpoint> {
  requireSize(log, size);
  const [root = merkleRoot([])] = await rootsIn(tx, [{ from: 0, to: size }], log);
  return { origin: log.origin, size, root };
}

/** @throws Rejection LOG_SIZE_OUT_OF_RANGE unless the log has got to `size` */
export function requireSize({ size: has }: LogState, size: number): void {
  if (size <= has) return;
  const message = `the log has ${has} batches, not ${size}`;
  throw refuse("LOG_SIZE_OUT_OF_RANGE", message, { metadata: { size: String(has) } });
}

/** Remembers what was told of the log; of an empty one there is nothing to remember. */
export async function storeCheckpoint(tx: Tx, told: Checkpoint, now: Date): Promise<void> {
  if (told.size === 0) return;
  await tx.query(
    `insert into checkpoints (size, root, created_at) values ($1, $2, $3)
     on conflict (size) do nothing`,
    [told.size, told.root, now],
  );
}

async function readSpans(tx: Tx, spans: readonly Span[]): Promise<readonly (readonly Buffer[])[]> {
  const wanted = [
    spans.map((_, nth) => nth),
    spans.map(({ level }) => level),
    spans.map(({ from }) => from),
    spans.map(({ from, count }) => from + count),
  ];
  const { rows } = await tx.query<{ span: number; level: number; hash: Uint8Array }>(
    `with wanted as (
       select * from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[])
         as wanted (span, level, first, beyond)
     )
     select span, level, hash from (
       select span, 0 as level, sequence as nth, hash
       from wanted join batches on sequence > first and sequence <= beyond
       where wanted.level = 0
       union all
       select span, wanted.level, nth, root
       from wanted join log_tiles on log_tiles.level = wanted.level
         and nth >= first and nth < beyond
       where wanted.level > 0
     ) as found
     order by span, nth`,
    wanted,
  );
  const found = Map.groupBy(rows, ({ span }) => span);
  return spans.map(({ level, from, count }, nth) => {
    const hashes = found.get(nth) ?? [];
    if (hashes.length !== count) {
      throw new Error(`the log has lost hashes on level ${level} from ${from} on`);
    }
    return hashes.map(({ hash }) => (level === 0 ? leafHash(hash) : Buffer.from(hash)));
  });
}
