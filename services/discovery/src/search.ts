import { decodePageToken, encodePageToken } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import type { Filter } from "./filter.ts";
import type { Listing } from "./listing.ts";
import { type Market, sift } from "./market.ts";
import { comparePlaces, type Order, type Place, parsePlace, partsOf, placeOf } from "./order.ts";
import { smallest } from "./smallest.ts";

/** Asks for a page of the agents that pass a filter. */
export interface Search {
  readonly filter: Filter;
  readonly order: Order;
  readonly pageSize: number;
  /** "" for the first page. */
  readonly pageToken: string;
  /** The first ones of a page that fit into an answer, at least one; all when absent. */
  readonly fitting?: (listings: readonly Listing[]) => readonly Listing[];
}

/** A page. */
export interface Page {
  readonly listings: readonly Listing[];
  /** "" on the last page, and only there. */
  readonly nextPageToken: string;
  /** Agents that pass, over all pages. */
  readonly total: number;
}

/**
 * Searches the market. A page goes on after the place where the one before ended, not after a count, so that agents
 * which come, go or change elsewhere neither shift it nor are listed twice.
 * @throws Rejection INVALID_PAGE_TOKEN
 */
export function search(market: Market, asked: Search): Page {
  const { filter, order, pageSize, pageToken, fitting = (all) => all } = asked;
  const bound = { filter, order };
  const cursor = decodePageToken(bound, pageToken, partsOf(order));
  const after = cursor === undefined ? undefined : placeOrRefuse(order, cursor);
  const { eligible } = sift(market, filter);
  const placed: Placed[] = [];
  for (const listing of eligible) {
    const place = placeOf(listing, order, filter);
    if (after === undefined || comparePlaces(place, after) > 0) placed.push({ listing, place });
  }
  const page = smallest(placed, pageSize, (a, b) => comparePlaces(a.place, b.place));
  const listings = fitting(page.map(({ listing }) => listing));
  const last = page[listings.length - 1];
  const more = last !== undefined && placed.length > listings.length;
  return {
    listings,
    nextPageToken: more ? encodePageToken(bound, last.place.map(String)) : "",
    total: eligible.length,
  };
}

interface Placed {
  readonly listing: Listing;
  readonly place: Place;
}

function placeOrRefuse(order: Order, parts: readonly string[]): Place {
  const place = parsePlace(order, parts);
  if (place !== undefined) return place;
  throw new Rejection("INVALID_PAGE_TOKEN", "page_token is not one of this search's");
}
