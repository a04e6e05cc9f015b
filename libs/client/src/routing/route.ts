import { ConnectError } from "@connectrpc/connect";
import type { Market } from "../connect.ts";
import { type Answer, createRefresher } from "./refresher.ts";
import type { Reports } from "./reports.ts";
import type { Result } from "./result.ts";
import { type NamedAgent, type Selection, selectAgents } from "./selection.ts";
import { createStandings, type Standings } from "./standing.ts";
import type { Target } from "./target.ts";

/** What happens to calls by capability. */
export type RoutingEvent =
  /** Discovery named whom to call. */
  | { readonly kind: "selected"; readonly target: string; readonly agentIds: readonly string[] }
  /** Discovery named nobody who can be called. */
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
  readonly refreshMs: number;
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
  /** Asks discovery soon. */
  hurry(): void;
  /** Notes that a call is about to choose; false when it must wait for what discovery says. */
  use(): boolean;
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
  const refresher = createRefresher({ ask, everyMs: desk.refreshMs, random: desk.random });

  async function ask(signal: AbortSignal): Promise<Answer> {
    const avoided = standings.avoided();
    try {
      const { discovery, mayCall } = desk;
      const question = { discovery, target, avoided, mayCall, signal };
      const selection = await selectAgents(question);
      return {
        answered: true,
        deliver() {
          tellOf(selection);
          listener(selection);
        },
      };
    } catch (error) {
      return {
        answered: false,
        deliver() {
          desk.tell({ kind: "discovery_away", target: text, error });
          listener(ConnectError.from(error));
        },
      };
    }
  }

  function fail(agentId: string, away: boolean): void {
    standings.fail(agentId, away);
    desk.tell({ kind: "failed", target: text, agentId });
    if (!standings.admits(agentId, 0)) refresher.hurry();
  }

  function tellOf({ agents, nobody }: Selection): void {
    if (nobody === undefined) {
      const agentIds = agents.map(({ agentId }) => agentId);
      desk.tell({ kind: "selected", target: text, agentIds });
    } else {
      desk.tell({ kind: "nobody", target: text, reason: nobodyText(nobody) });
    }
  }

  return {
    target,
    desk,
    standings,
    start: refresher.start,
    stop: refresher.stop,
    hurry: refresher.hurry,
    use: refresher.use,
    note(agentId, { result, away, latencyMs }) {
      if (result === "SUCCESS") standings.succeed(agentId);
      else fail(agentId, away);
      desk.reports.note({ agentId, capability: target.capability, result, latencyMs });
    },
    shun: (agentId) => fail(agentId, true),
  };
}

/** Why there is nobody to call, for people. */
export function nobodyText(nobody: ConnectError | string): string {
  return typeof nobody === "string" ? nobody : nobody.rawMessage;
}
