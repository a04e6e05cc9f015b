import type { Tx } from "@bourse/postgres";
import type { Bid, Refusal } from "../bid.ts";
import type { Decline } from "../store.ts";
import { formatDocument, parseDocument } from "./document.ts";

interface BidRow {
  readonly id: string;
  readonly task_id: string;
  readonly agent_id: string;
  readonly price_micros: string;
  readonly currency: string;
  readonly latency_ms: string;
  readonly success_ppm: string;
  readonly calibration_ppm: string;
  readonly multiplier_ppm: string;
  readonly sequence: number;
  readonly automatic: boolean;
  readonly submitted_at: Date;
}

function toBid(row: BidRow): Bid {
  return {
    bidId: row.id,
    taskId: row.task_id,
    agentId: row.agent_id,
    terms: {
      price: { micros: BigInt(row.price_micros), currency: row.currency },
      latencyMs: BigInt(row.latency_ms),
      successPpm: BigInt(row.success_ppm),
    },
    calibrationPpm: BigInt(row.calibration_ppm),
    multiplierPpm: BigInt(row.multiplier_ppm),
    sequence: row.sequence,
    automatic: row.automatic,
    submitTime: row.submitted_at,
  };
}

/** Stores bids of one or several tasks. */
export async function insertBids(tx: Tx, bids: readonly Bid[]): Promise<void> {
  if (bids.length === 0) return;
  const column = (read: (bid: Bid) => unknown): unknown[] => bids.map(read);
  await tx.query({
    name: "bid-insert",
    text: `insert into bids (id, task_id, agent_id, price_micros, currency, latency_ms, success_ppm,
        calibration_ppm, multiplier_ppm, sequence, automatic, submitted_at)
      select *
      from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::integer[], $11::boolean[],
        $12::timestamptz[])`,
    values: [
      column((bid) => bid.bidId),
      column((bid) => bid.taskId),
      column((bid) => bid.agentId),
      column((bid) => String(bid.terms.price.micros)),
      column((bid) => bid.terms.price.currency),
      column((bid) => String(bid.terms.latencyMs)),
      column((bid) => String(bid.terms.successPpm)),
      column((bid) => String(bid.calibrationPpm)),
      column((bid) => String(bid.multiplierPpm)),
      column((bid) => bid.sequence),
      column((bid) => bid.automatic),
      column((bid) => bid.submitTime),
    ],
  });
}

/** A task's bids in order of arrival. */
export async function selectBids(tx: Tx, taskId: string): Promise<readonly Bid[]> {
  const { rows } = await tx.query<BidRow>({
    name: "bid-list",
    text: `select id, task_id, agent_id, price_micros, currency, latency_ms, success_ppm,
        calibration_ppm, multiplier_ppm, sequence, automatic, submitted_at
      from bids
      where task_id = $1
      order by sequence`,
    values: [taskId],
  });
  return rows.map(toBid);
}

/** Whether an agent has a bid on a task. */
export async function hasBid(tx: Tx, taskId: string, agentId: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: "bid-has",
    text: "select from bids where task_id = $1 and agent_id = $2",
    values: [taskId, agentId],
  });
  return rowCount === 1;
}

/** Keeps the latest refusal of each agent; answers with the agents that had none. */
export async function upsertRefusals(
  tx: Tx,
  taskId: string,
  refusals: readonly Refusal[],
): Promise<readonly string[]> {
  if (refusals.length === 0) return [];
  const { rows } = await tx.query<{ agent_id: string; is_new: boolean }>({
    name: "refusal-upsert",
    text: `insert into refusals (task_id, agent_id, refusal, submitted_at)
      select $1, agent_id, refusal, submitted_at
      from unnest($2::text[], $3::json[], $4::timestamptz[])
        as refused (agent_id, refusal, submitted_at)
      on conflict on constraint refusals_pkey do update
        set refusal = excluded.refusal, submitted_at = excluded.submitted_at
      returning agent_id, xmax = 0 as is_new`,
    values: [
      taskId,
      refusals.map((refusal) => refusal.agentId),
      refusals.map(formatDocument),
      refusals.map((refusal) => refusal.submitTime),
    ],
  });
  return rows.filter((row) => row.is_new).map((row) => row.agent_id);
}

/** A task's refused bids by agent. */
export async function selectRefusals(tx: Tx, taskId: string): Promise<readonly Refusal[]> {
  const { rows } = await tx.query<{ refusal: string }>(
    "select refusal::text as refusal from refusals where task_id = $1 order by agent_id",
    [taskId],
  );
  return rows.map((row) => parseDocument<Refusal>(row.refusal));
}

/** Keeps an agent's first decline; answers with it, and whether it is the one given. */
export async function insertDecline(
  tx: Tx,
  taskId: string,
  decline: Decline,
): Promise<{ decline: Decline; isFirst: boolean }> {
  const { rowCount } = await tx.query(
    `insert into declines (task_id, agent_id, reason, declined_at)
     values ($1, $2, $3, $4)
     on conflict on constraint declines_pkey do nothing`,
    [taskId, decline.agentId, decline.reason, decline.declineTime],
  );
  if (rowCount === 1) return { decline, isFirst: true };
  const declines = await selectDeclines(tx, taskId);
  const first = declines.find((each) => each.agentId === decline.agentId);
  return { decline: first ?? decline, isFirst: false };
}

/** Forgets an agent's decline. */
export async function deleteDecline(tx: Tx, taskId: string, agentId: string): Promise<void> {
  await tx.query({
    name: "decline-delete",
    text: "delete from declines where task_id = $1 and agent_id = $2",
    values: [taskId, agentId],
  });
}

/** A task's declines by agent. */
export async function selectDeclines(tx: Tx, taskId: string): Promise<readonly Decline[]> {
  const { rows } = await tx.query<{ agent_id: string; reason: string; declined_at: Date }>(
    `select agent_id, reason, declined_at
     from declines
     where task_id = $1
     order by agent_id`,
    [taskId],
  );
  return rows.map((row) => {
    return { agentId: row.agent_id, reason: row.reason, declineTime: row.declined_at };
  });
}
