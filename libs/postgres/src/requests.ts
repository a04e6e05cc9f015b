import { Rejection } from "@bourse/rpc/rejection";
import type { Pool } from "pg";
import type { Tx } from "./transaction.ts";

/** How a caller names one mutation, so that sending it twice does it once. */
export interface MutationRequest {
  /** Who asks; request ids of different principals never meet. */
  readonly principal: string;
  /** Chosen by the caller; "" asks for no memory at all. */
  readonly id: string;
  readonly method: string;
  /** A digest of the content, without the id. */
  readonly fingerprint: Uint8Array;
}

/** A request id came back with another method or other content. */
export class RequestIdReused extends Rejection {
  constructor(request: MutationRequest, firstMethod: string) {
    super("REQUEST_ID_REUSED", `request id ${request.id} was used before for another request`, {
      metadata: { request_id: request.id, first_method: firstMethod },
    });
  }
}

interface RequestRow {
  readonly method: string;
  readonly fingerprint: Uint8Array;
  readonly answer: Uint8Array | null;
}

/**
 * Does `work` once for (principal, id) and remembers its answer in the same transaction.
 *
 * A repetition gets the stored answer and does nothing; a concurrent one waits for the first to
 * commit. When the first rolls back, nothing is remembered and the repetition does the work.
 * @throws RequestIdReused when the id was used for another method or other content
 */
export async function once(
  tx: Tx,
  request: MutationRequest,
  work: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (request.id === "") return work();
  for (;;) {
    const { rowCount } = await tx.query(
      `insert into requests (principal, id, method, fingerprint)
       values ($1, $2, $3, $4)
       on conflict on constraint requests_pkey do nothing`,
      [request.principal, request.id, request.method, request.fingerprint],
    );
    if (rowCount === 1) break;
    const answer = await storedAnswer(tx, request);
    if (answer !== undefined) return answer;
  }
  const answer = await work();
  await tx.query(`update requests set answer = $3 where principal = $1 and id = $2`, [
    request.principal,
    request.id,
    answer,
  ]);
  return answer;
}

/** Undefined when the request was forgotten just now. */
async function storedAnswer(tx: Tx, request: MutationRequest): Promise<Uint8Array | undefined> {
  const { rows } = await tx.query<RequestRow>(
    `select method, fingerprint, answer from requests where principal = $1 and id = $2`,
    [request.principal, request.id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  if (row.method !== request.method || Buffer.compare(row.fingerprint, request.fingerprint) !== 0) {
    throw new RequestIdReused(request, row.method);
  }
  if (row.answer === null) {
    throw new Error(
      `request ${request.id} has no answer: once was called twice in one transaction`,
    );
  }
  return new Uint8Array(row.answer);
}

/**
 * Forgets requests made before `before`, in batches that hold no lock for long; returns how many.
 * An abort ends it after the batch.
 * A repetition of a forgotten request is a new request.
 */
export async function forgetRequests(
  pool: Pool,
  before: Date,
  options: { readonly batch?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const { batch = 5_000, signal } = options;
  for (let forgotten = 0; ; ) {
    // By place in the table: by key, Postgres would rather read all of it for each batch.
    const { rowCount } = await pool.query(
      `delete from requests
       where ctid = any (array(
         select ctid from requests
         where created_at < $1
         order by created_at
         limit $2
         for update skip locked
       ))`,
      [before, batch],
    );
    forgotten += rowCount ?? 0;
    if ((rowCount ?? 0) < batch || signal?.aborted === true) return forgotten;
  }
}
