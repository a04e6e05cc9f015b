import { decodePageToken } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import type { AccountName } from "./account.ts";
import { refuse } from "./refusal.ts";
import type { TransferCursor } from "./statement.ts";
import type { DisputeCursor, TransactionCursor } from "./store.ts";
import type { SummaryCursor } from "./summary.ts";

/** Where the page of transactions before ended. Throws INVALID_PAGE_TOKEN. */
export function transactionCursor(filter: unknown, token: string): TransactionCursor | undefined {
  const parts = decodePageToken(filter, token, 2);
  if (parts === undefined) return undefined;
  const [time = "", id = ""] = parts;
  if (!UUID.test(id)) throw invalid();
  return { createdAt: timeOf(time), id };
}

/** Where the page of disputes before ended. Throws INVALID_PAGE_TOKEN. */
export function disputeCursor(filter: unknown, token: string): DisputeCursor | undefined {
  const cursor = transactionCursor(filter, token);
  return cursor && { flaggedAt: cursor.createdAt, transactionId: cursor.id };
}

/** Where the page of sums before ended, and the range that is summed up. Throws INVALID_PAGE_TOKEN. */
export function summaryCursor(
  filter: unknown,
  token: string,
): (SummaryCursor & { readonly from: Date; readonly until: Date }) | undefined {
  const parts = decodePageToken(filter, token, 4);
  if (parts === undefined) return undefined;
  const [from = "", until = "", key = "", currency = ""] = parts;
  if (key.includes("\0") || currency.includes("\0")) throw invalid();
  return { from: timeOf(from), until: timeOf(until), key, currency };
}

/** Where an export stopped, and before when it ends. Throws INVALID_RESUME_TOKEN. */
export function historyCursor(
  filter: unknown,
  token: string,
): { readonly after: TransactionCursor; readonly until: Date } | undefined {
  return resumed(() => {
    const parts = decodePageToken(filter, token, 3);
    if (parts === undefined) return undefined;
    const [until = "", time = "", id = ""] = parts;
    if (!UUID.test(id)) throw invalid();
    return { after: { createdAt: timeOf(time), id }, until: timeOf(until) };
  });
}

/** A stream is resumed where a list is turned: with the same kind of token by another name. */
function resumed<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    throw invalidResumeToken("resume_token is not of an export with this filter");
  }
}

/** The refusal of a token that a stream cannot go on from. */
export function invalidResumeToken(why: string): Rejection {
  return refuse("INVALID_RESUME_TOKEN", `${why}: begin anew without one`, {
    faults: [{ field: "resume_token", reason: "INVALID_RESUME_TOKEN", description: why }],
  });
}

/** Where the page of transfers before ended. Throws INVALID_PAGE_TOKEN. */
export function transferCursor(filter: unknown, token: string): TransferCursor | undefined {
  const parts = decodePageToken(filter, token, 3);
  if (parts === undefined) return undefined;
  const [time = "", kind = "", id = ""] = parts;
  if (kind !== "DEPOSIT" && kind !== "WITHDRAWAL" && kind !== "CREDIT") throw invalid();
  if (id.includes("\0")) throw invalid();
  return { createdAt: timeOf(time), kind, id };
}

/** Where the page of accounts before ended. Throws INVALID_PAGE_TOKEN. */
export function accountCursor(filter: unknown, token: string): AccountName | undefined {
  const parts = decodePageToken(filter, token, 2);
  if (parts === undefined) return undefined;
  const [owner = "", currency = ""] = parts;
  if (owner.includes("\0") || currency.includes("\0")) throw invalid();
  return { owner, currency };
}

/** Where the page of events before ended, and from when the list is. Throws INVALID_PAGE_TOKEN. */
export function eventCursor(
  filter: unknown,
  token: string,
): { readonly sequence: bigint; readonly from: Date } | undefined {
  const parts = decodePageToken(filter, token, 2);
  if (parts === undefined) return undefined;
  const [sequence = "", from = ""] = parts;
  if (!/^\d{1,18}$/.test(sequence)) throw invalid();
  return { sequence: BigInt(sequence), from: timeOf(from) };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A time as this service writes it, which Postgres can hold: of a year of four digits. */
function timeOf(text: string): Date {
  const time = new Date(text);
  if (!TIME.test(text) || Number.isNaN(time.getTime())) throw invalid();
  return time;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function invalid() {
  return refuse("INVALID_PAGE_TOKEN", "page_token was not made by this service");
}
