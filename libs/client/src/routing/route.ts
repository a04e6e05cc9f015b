import type { WatchCandidatesResponse } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { ConnectError } from "@connectrpc/connect";
import type { Market } from "../connect.ts";
import type { Reports } from "./reports.ts";
import type { Result } from "./result.ts";
import { type NamedAgent, type Selection, selectFrom } from "./selection.ts";
import { createStandings, type Standings } from "./standing.ts";
import { selectionStrategy, type Target } from "./target.ts";
import { createWatch } from "./watch.ts";

/** What happens to calls by capability. */
export type RoutingEvent =
  /** Others are called than before. */
  | { readonly kind: "selected"; readonly target: string; readonly agentIds: readonly string[] }
  /** Discovery names nobody who can be called. */
  | { readonly kind: "nobody"; readonly target: string; readonly reason: string }
  /** Discovery did not answer: calls go on to those it named last. */
  | { readonly kind: "discovery_away"; readonly target: string; readonly error: unknown }
  /** A call failed, or the agent could not be reached. */
  | { readonly kind: "failed"; readonly target: string; readonly agentId: string }
  /** Reports of calls were lost. */
  | { readonly kind: "reports_lost"; readonly count: number; readonly error: unknown };

/** What all channels of a routing share. */
export interface Desk {
  readonly discovery: Market["discovery"];
  readonly reports: Reports;
  readonly mayCall: (agent: NamedAgent) => boolean;
  /** Aborts when nothing is routed any more. */
  readonly closed: AbortSignal;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Milliseconds on a clock that does not jump. */
  readonly now: () => number;
  readonly tell: (event: RoutingEvent) => void;
}

/** Tells a channel whom discovery names, or that it did not answer. */
export type RouteListener = (selection: Selection | ConnectError) => void;

/** What the resolver and the balancer of one channel share: whom it may call, and how they do. */
export interface Route {
  readonly target: Target;
  readonly desk: Desk;
  readonly standings: Standings;
  start(): void;
  stop(): void;
  /** Selects anew soon: somebody does worse. */
  hurry(): void;
  /** Whether what discovery said last is what it says now. */
  isCurrent(): boolean;
  /** Notes how a call to an agent went. */
  note(agentId: string, outcome: RouteOutcome): void;
  /** Avoids an agent whose connection was lost and could not be made again. */
  shun(agentId: string): void;
}

/** How a call to an agent went. */
export interface RouteOutcome {
  readonly result: Result;
  /** It takes no calls now. */
  readonly away: boolean;
  readonly latencyMs: number;
}

/** A route that has not been started; `text` is the target as the caller wrote it. */
export function createRoute(
  desk: Desk,
  target: Target,
  text: string,
  listener: RouteListener,
): Route {
  const standings = createStandings(desk.now, desk.random);
  let list: WatchCandidatesResponse | undefined;
  let selected = "";
  let hurried: NodeJS.Timeout | undefined;
  let healing: NodeJS.Timeout | undefined;
  const { filter, strategy, subset } = target;
  const watch = createWatch({
    discovery: desk.discovery,
    request: { filter, strategy: selectionStrategy(strategy), count: subset },
    random: desk.random,
    onList(told) {
      list = told;
      select();
    },
    onAway(error) {
      desk.tell({ kind: "discovery_away", target: text, error });
      listener(error);
    },
  });

  /** Selects from what discovery said last. */
  function select(): void {
    if (list === undefined) return;
    const selecting = { target, avoided: standings.avoided(), mayCall: desk.mayCall };
    const selection = selectFrom(list, selecting);
    const isWhole = list.candidates.length < watch.count;
    if (selection.isShort && !isWhole) watch.widen(Math.min(2 * watch.count, COUNT_MAX));
    // Those who are avoided now can be tried again.
    clearTimeout(healing);
    const healMs = standings.nextMs();
    if (healMs !== undefined) healing = setTimeout(select, healMs + 1).unref();
    tellOf(selection);
    listener(selection);
  }

  function fail(agentId: string, away: boolean): void {
    standings.fail(agentId, away);
    desk.tell({ kind: "failed", target: text, agentId });
    if (!standings.admits(agentId, 0)) hurry();
  }

  function hurry(): void {
    hurried ??= setTimeout(() => {
      hurried = undefined;
      select();
    }, HURRY_MS).unref();
  }

  function tellOf({ agents, trial, nobody }: Selection): void {
    const agentIds = [...agents, ...(trial === undefined ? [] : [trial])].map((one) => one.agentId);
    const before = selected;
    selected = agentIds.join(" ");
    if (nobody !== undefined) desk.tell({ kind: "nobody", target: text, reason: nobody.text });
    else if (selected !== before) desk.tell({ kind: "selected", target: text, agentIds });
  }

  function stop(): void {
    watch.stop();
    clearTimeout(hurried);
    clearTimeout(healing);
    hurried = undefined;
    desk.closed.removeEventListener("abort", stop);
  }

  return {
    target,
    desk,
    standings,
    start() {
      if (desk.closed.aborted) return;
      desk.closed.addEventListener("abort", stop);
      watch.start();
    },
    stop,
    hurry,
    isCurrent: () => watch.isCurrent,
    note(agentId, { result, away, latencyMs }) {
      if (result === "SUCCESS") standings.succeed(agentId);
      else fail(agentId, away);
      desk.reports.note({ agentId, capability: target.capability, result, latencyMs });
    },
    shun: (agentId) => fail(agentId, true),
  };
}

const HURRY_MS = 250;
/** Discovery names no more. */
const COUNT_MAX = 100;
