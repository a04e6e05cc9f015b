import {
  type AgentBreaker,
  BreakerCause,
  BreakerState,
} from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import {
  type ListBreakersResponse,
  ListBreakersResponseSchema,
  ResetBreakerResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { openMarket, tellingRefusals } from "../ledger/connection.ts";
import { newTable } from "../table.ts";
import { countOf, PLAIN } from "./leaderboard.ts";

interface ListOptions {
  readonly data: string;
  readonly agent?: string;
  readonly capability?: string;
  readonly open?: boolean;
  readonly limit: string;
  readonly json?: boolean;
}

interface ResetOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** `bourse breakers list`: whom the market keeps callers away from, why, and until when. */
export async function listBreakers(options: ListOptions): Promise<void> {
  const { data, agent = "", capability = "", open, limit, json } = options;
  const pageSize = countOf(limit);
  const state = open ? BreakerState.OPEN : BreakerState.UNSPECIFIED;
  await using market = await openMarket(data);
  await tellingRefusals(async () => {
    const page = await market.registry.listBreakers({
      agentId: agent,
      capability,
      state,
      pageSize,
    });
    if (json) {
      console.log(JSON.stringify(toJson(ListBreakersResponseSchema, page, PLAIN), undefined, 2));
      return;
    }
    if (page.stale) console.error("the store of breakers is away: this is what was last known");
    console.log(tableOf(page, Date.now()));
  });
}

/** `bourse breakers reset`: lets callers through again. */
export async function resetBreakers(
  agentId: string,
  capability: string | undefined,
  { data, json }: ResetOptions,
): Promise<void> {
  await using market = await openMarket(data, "operator");
  await tellingRefusals(async () => {
    const answer = await market.registry.resetBreaker({ agentId, capability: capability ?? "" });
    if (json) {
      console.log(JSON.stringify(toJson(ResetBreakerResponseSchema, answer, PLAIN), undefined, 2));
      return;
    }
    for (const { capability: closed, state, openTime } of answer.breakers) {
      const opened = openTime === undefined ? "" : `, opened at ${clockOf(openTime)}`;
      console.log(`closed ${agentId} at ${closed}: it was ${STATES[state] ?? ""}${opened}`);
    }
    if (answer.breakers.length > 0) return;
    const where = capability === undefined ? "" : ` at ${capability}`;
    console.log(`no breaker of ${agentId}${where} was open; what had been counted is forgotten`);
  });
}

const STATES: Partial<Record<BreakerState, string>> = {
  [BreakerState.OPEN]: "open",
  [BreakerState.HALF_OPEN]: "half open",
};

const CAUSES: Partial<Record<BreakerCause, string>> = {
  [BreakerCause.FAILURE]: "failures",
  [BreakerCause.TIMEOUT]: "time-outs",
  [BreakerCause.CALIBRATION]: "wrong estimates",
};

function tableOf({ breakers, totalSize, nextPageToken }: ListBreakersResponse, nowMs: number) {
  if (breakers.length === 0) return "no breaker that was asked for is open";
  const table = newTable(["agent", "capability", "state", "opened by", "opened at", "next"]);
  for (const one of breakers) table.push(rowOf(one, nowMs));
  const more = nextPageToken === "" ? [] : [`the first ${breakers.length} of ${totalSize}`];
  return [table.toString(), ...more].join("\n");
}

function rowOf({ agentId, breaker }: AgentBreaker, nowMs: number): string[] {
  if (breaker === undefined) return [agentId, "", "", "", "", ""];
  const { capability, state, cause, openTime, retryTime, successes } = breaker;
  const leftMs = retryTime === undefined ? 0 : timestampMs(retryTime) - nowMs;
  const next =
    state === BreakerState.OPEN
      ? `a few calls may try in ${Math.max(0, Math.ceil(leftMs / 1_000))} s`
      : `${successes} of 3 successes`;
  const opened = openTime === undefined ? "" : clockOf(openTime);
  return [agentId, capability, STATES[state] ?? "", CAUSES[cause] ?? "", opened, next];
}

/** To the second. */
function clockOf(time: Timestamp): string {
  return timestampDate(time)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}
