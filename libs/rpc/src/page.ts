import { createHash } from "node:crypto";
import { Rejection } from "./rejection.ts";

/**
 * How many rows a page holds: `requested`, or `normal` when it is 0; at least one and never more
 * than `most`.
 */
export function pageSize(requested: number, normal = 50, most = 1_000): number {
  return Math.max(1, Math.min(requested === 0 ? normal : requested, most));
}

/**
 * Makes an opaque page token of a cursor (the sort key of a page's last row). It is bound to the
 * filter, so that it cannot be used with another list or another filter by mistake, and to the
 * cursor, so that a changed one is noticed; it is no secret and proves nothing.
 */
export function encodePageToken(filter: unknown, cursor: readonly string[]): string {
  return Buffer.from(JSON.stringify([digest(filter, cursor), ...cursor])).toString("base64url");
}

/**
 * Reads a page token made by `encodePageToken` with the same filter, in which the order of the keys
 * does not matter; undefined for the first page ("").
 * @throws Rejection INVALID_PAGE_TOKEN when it is not such a token or does not hold `length` strings
 */
export function decodePageToken(
  filter: unknown,
  token: string,
  length: number,
): readonly string[] | undefined {
  if (token === "") return undefined;
  const cursor = parse(token)?.slice(1);
  // Only what comes out the same when it is made again has not been touched.
  if (cursor?.length === length && encodePageToken(filter, cursor) === token) return cursor;
  throw new Rejection(
    "INVALID_PAGE_TOKEN",
    "page_token is not of this list and filter: start again without one",
    {
      faults: [
        {
          field: "page_token",
          reason: "INVALID_PAGE_TOKEN",
          description: "must be the next_page_token of a page with the same filter",
        },
      ],
    },
  );
}

function parse(token: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(value) && value.every((part) => typeof part === "string")
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}

function digest(filter: unknown, cursor: readonly string[]): string {
  const canonical = JSON.stringify([filter, cursor], (_key, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return createHash("sha256").update(canonical).digest("base64url").slice(0, 12);
}
