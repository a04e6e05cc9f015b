import { decodePageToken, encodePageToken } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import { type Filter, filterKey } from "./filter.ts";
import { first } from "./first.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import { placeOf } from "./market/orders.ts";
import type { View } from "./market/view.ts";
import { comparePlaces, type Order, type Place, parsePlace, partsOf } from "./order.ts";

/** Asks for a page of the agents that pass a filter. */
export interface Search {
  readonly filter: Filter;
  readonly order: Order;
  readonly pageSize: number;
  /** "" for the first page. */
  readonly pageToken: string;
  /** Whether all that pass must be known, and who is kept out by what. */
  readonly isWhole?: boolean;
  /** The first ones of a page that fit into an answer, at least one; all when absent. */
  readonly fitting?: (slots: readonly Slot[]) => readonly Slot[];
}

/** A page. */
export interface Page {
  readonly slots: readonly Slot[];
  /** "" on the last page, and only there. */
  readonly nextPageToken: string;
  /** Agents that pass, over all pages. */
  readonly view: View;
  /** How many these are, or about how many. */
  readonly size: number;
  readonly isEstimate: boolean;
}

/**
 * Searches the market. A page goes on after the place where the one before ended, not after a count, so that agents
 * which come, go or change elsewhere neither shift it nor are listed twice.
 * @throws Rejection INVALID_PAGE_TOKEN; Wanted
 */
export function search(market: Market, asked: Search): Page {
  const { filter, order, pageSize, pageToken, isWhole = false, fitting = (all) => all } = asked;
  const bound = `${order} ${filterKey(filter)}`;
  const cursor = decodePageToken(bound, pageToken, partsOf(order));
  const after = cursor === undefined ? undefined : placeOrRefuse(order, cursor);
  const view = isWhole ? market.whole(filter, true) : market.view(filter);
  const place = (slot: Slot): Place => placeOf(order, market.agents, view.ability, slot);
  const isBefore = after && ((slot: Slot) => comparePlaces(place(slot), after) <= 0);
  // One more tells whether there are more.
  const found = first(view.walk(order, isBefore), pageSize + 1);
  const slots = fitting(found.slice(0, pageSize));
  const last = slots.at(-1);
  const isLast = last === undefined || found.length === slots.length;
  const isAll = isLast && after === undefined;
  return {
    slots,
    nextPageToken: isLast ? "" : encodePageToken(bound, place(last).map(String)),
    view,
    size: isAll ? slots.length : view.size,
    isEstimate: view.isEstimate && !isAll,
  };
}

function placeOrRefuse(order: Order, parts: readonly string[]): Place {
  const place = parsePlace(order, parts);
  if (place !== undefined) return place;
  throw new Rejection("INVALID_PAGE_TOKEN", "page_token is not one of this search's");
}
