import { decodePageToken, encodePageToken } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import { type Filter, filterKey } from "./filter.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import { placeOf } from "./market/orders.ts";
import type { WholeView } from "./market/view.ts";
import { comparePlaces, type Order, type Place, parsePlace, partsOf } from "./order.ts";

/** Asks for a page of the agents that pass a filter. */
export interface Search {
  readonly filter: Filter;
  readonly order: Order;
  readonly pageSize: number;
  /** "" for the first page. */
  readonly pageToken: string;
  /** The first ones of a page that fit into an answer, at least one; all when absent. */
  readonly fitting?: (slots: readonly Slot[]) => readonly Slot[];
}

/** A page. */
export interface Page {
  readonly slots: readonly Slot[];
  /** "" on the last page, and only there. */
  readonly nextPageToken: string;
  /** Agents that pass, over all pages. */
  readonly view: WholeView;
}

/**
 * Searches the market. A page goes on after the place where the one before ended, not after a count, so that agents
 * which come, go or change elsewhere neither shift it nor are listed twice.
 * @throws Rejection INVALID_PAGE_TOKEN
 */
export function search(market: Market, asked: Search): Page {
  const { filter, order, pageSize, pageToken, fitting = (all) => all } = asked;
  const bound = `${order} ${filterKey(filter)}`;
  const cursor = decodePageToken(bound, pageToken, partsOf(order));
  const after = cursor === undefined ? undefined : placeOrRefuse(order, cursor);
  const view = market.view(filter);
  const ranking = view.in(order);
  const place = (slot: Slot): Place => placeOf(order, market.agents, view.ability, slot);
  const from =
    after === undefined ? 0 : ranking.lowerBound((slot) => comparePlaces(place(slot), after) <= 0);
  const page: Slot[] = [];
  for (const slot of ranking.walk(from)) {
    page.push(slot);
    if (page.length === pageSize) break;
  }
  const slots = fitting(page);
  const last = slots.at(-1);
  const more = last !== undefined && from + slots.length < view.size;
  return {
    slots,
    nextPageToken: more ? encodePageToken(bound, place(last).map(String)) : "",
    view,
  };
}

function placeOrRefuse(order: Order, parts: readonly string[]): Place {
  const place = parsePlace(order, parts);
  if (place !== undefined) return place;
  throw new Rejection("INVALID_PAGE_TOKEN", "page_token is not one of this search's");
}
