import { bidFromCostModel, toPpm } from "@bourse/scoring";
import { SERVICE_NAMES } from "../market/ports.ts";
import type { DemoAgent, DemoBid, DemoTask } from "./files.ts";
import { readFunds } from "./read.ts";
import type { Funds, MarketCheck } from "./report.ts";
import type { Stage } from "./stage.ts";

/** The services on stage. */
export function services({ market }: Stage): MarketCheck["services"] {
  return SERVICE_NAMES.map((name) => ({ name, address: market.address(name) }));
}

/** What an owner has in the task's currency. */
export async function fundsOf(stage: Stage, owner: string): Promise<Funds> {
  const { accounts } = await stage.operator.ledger.getBalances({ owner });
  return readFunds(accounts.find(({ currencyCode }) => currencyCode === stage.task.currency));
}

/** An agent's credits, in micros. */
export async function creditsOf(stage: Stage, agentId: string): Promise<bigint> {
  const { accounts } = await stage.operator.ledger.getBalances({ owner: agentId });
  return accounts.find(({ currencyCode }) => currencyCode === "CRD")?.postedMicros ?? 0n;
}

/** What an agent offers for the task: its own bid, or what its cost model says. */
export function offerOf(task: DemoTask, { profile, bid }: DemoAgent): DemoBid {
  if (bid !== undefined) return bid;
  const { costModel, sla } = profile;
  const successRate = sla?.successRate ?? 0.95;
  const offer = bidFromCostModel({
    model: {
      baseMicros: costModel?.base?.micros ?? 1_000_000n,
      perMinuteMicros: costModel?.perMinute?.micros ?? 0n,
      complexityMultiplierPpm: toPpm(costModel?.complexityMultiplier ?? 1),
    },
    successPpm: toPpm(successRate),
    maxLatencyMs: task.maxLatencyMs,
    ...(task.complexity !== undefined && { complexity: task.complexity }),
  });
  return { priceMicros: offer.priceMicros, latencyMs: offer.latencyMs, successRate };
}
