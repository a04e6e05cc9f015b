import { createHash } from "node:crypto";
import { Rejection } from "./rejection.ts";

/**
 * How many rows a page holds: `requested`, or `normal` when it is 0, and never more than `most`.
 */
export function pageSize(requested: number, normal = 50, most = 1_000): number {
  return Math.min(requested === 0 ? normal : requested, most);
}

/**
 * Makes an opaque page token of a cursor (the sort key of a page's last row). It is bound to `filter`, so that it
 * cannot be used with another list or another filter by mistake.
 */
export function encodePageToken(filter: unknown, cursor: readonly string[]): string {
  return Buffer.from(JSON.stringify([digest(filter), ...cursor])).toString("base64url");
}

/**
 * Reads a page token made by `encodePageToken` with the same filter; undefined for the first page ("").
 * @throws Rejection INVALID_PAGE_TOKEN when it is not such a token or does not hold `length` strings
 */
export function decodePageToken(
  filter: unknown,
  token: string,
  length: number,
): readonly string[] | undefined {
  if (token === "") return undefined;
  const parts = parse(token);
  if (parts === undefined || parts.length !== length + 1 || parts[0] !== digest(filter)) {
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
  return parts.slice(1);
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

function digest(filter: unknown): string {
  const canonical = JSON.stringify(filter, (_key, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return createHash("sha256").update(canonical).digest("base64url").slice(0, 12);
}
