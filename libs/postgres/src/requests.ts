import { Rejection } from "@bourse/rpc/rejection";
import type { Pool } from "pg";
import { byteaArray, textArray } from "./array.ts";
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

/** What stands under a request id. */
export interface Remembered {
  readonly method: string;
  readonly fingerprint: Uint8Array;
  readonly answer: Uint8Array;
}

interface RequestRow extends Omit<Remembered, "answer"> {
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
  const { answer } = row;
  if (answer === null) {
    throw new Error(
      `request ${request.id} has no answer: once was called twice in one transaction`,
    );
  }
  return repeatedAnswer(request, { ...row, answer: new Uint8Array(answer) });
}

/**
 * What a repetition is answered.
 * @throws RequestIdReused when what stands under its id is another method or other content
 */
export function repeatedAnswer(request: MutationRequest, first: Remembered): Uint8Array {
  const { method, fingerprint, answer } = first;
  if (method !== request.method || Buffer.compare(fingerprint, request.fingerprint) !== 0) {
    throw new RequestIdReused(request, method);
  }
  return answer;
}

/** The same for all that share one memory: who asks, under which id. */
export function requestKey({ principal, id }: Pick<MutationRequest, "principal" | "id">): string {
  return JSON.stringify([principal, id]);
}

/**
 * What stands under the ids of many requests, by `requestKey`, for who does many in one transaction: `once` would take
 * two statements for each. Call it when all that they change is locked, so that of two who do the same the second finds
 * what the first has answered; then `remember` what was done anew.
 */
export async function recall(
  tx: Tx,
  requests: readonly MutationRequest[],
): Promise<ReadonlyMap<string, Remembered>> {
  if (requests.length === 0) return new Map();
  const { rows } = await tx.query<Remembered & { readonly principal: string; readonly id: string }>(
    {
      name: "requests-recall",
      text: `select principal, id, method, fingerprint, answer
        from unnest($1::text[], $2::text[]) as asked (principal, id) join requests using (principal, id)
        where answer is not null`,
      values: [
        textArray(requests.map(({ principal }) => principal)),
        textArray(requests.map(({ id }) => id)),
      ],
    },
  );
  return new Map(
    rows.map((row) => [requestKey(row), { ...row, answer: new Uint8Array(row.answer) }]),
  );
}

/**
 * Remembers what requests were answered; their ids are none of "". Violates `requests_pkey` when another transaction
 * has used one of the ids meanwhile: begin again, and `recall` knows it.
 */
export async function remember(
  tx: Tx,
  answered: readonly {
    readonly request: MutationRequest;
    readonly answer: Uint8Array;
  }[],
): Promise<void> {
  if (answered.length === 0) return;
  const requests = answered.map(({ request }) => request);
  await tx.query({
    name: "requests-remember",
    text: `insert into requests (principal, id, method, fingerprint, answer)
      select principal, id, method, fingerprint, answer
      from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
        as told (principal, id, method, fingerprint, answer)
      order by principal, id`,
    values: [
      textArray(requests.map(({ principal }) => principal)),
      textArray(requests.map(({ id }) => id)),
      textArray(requests.map(({ method }) => method)),
      byteaArray(requests.map(({ fingerprint }) => fingerprint)),
      byteaArray(answered.map(({ answer }) => answer)),
    ],
  });
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
