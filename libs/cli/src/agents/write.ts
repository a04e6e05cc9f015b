import { AvailabilityStateSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { type AgentRecord, AgentRecordSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import type { Money } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import { formatDuration, formatMicros, formatMoney } from "@bourse/scoring";
import { toJson } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { stringify } from "yaml";

/** How an export writes agents. */
export interface Format {
  /** What comes before the first agent. */
  readonly head: string;
  /** The lines of one agent, each with its end. */
  lines(record: AgentRecord): string;
}

/** JSON lines as protobuf has it, and the YAML of agents' authors. */
export const FORMATS = {
  jsonl: {
    head: "",
    lines: (record) => {
      return `${JSON.stringify(toJson(AgentRecordSchema, record, { useProtoFieldName: true }))}\n`;
    },
  },
  yaml: {
    head: "agents:\n",
    lines: (record) => {
      // A text stands in one line, escaped: as a block, some of spaces and line ends are not read as written.
      const item = stringify([noted(record)], {
        lineWidth: 0,
        blockQuote: false,
        compat: "yaml-1.1",
      });
      // By hand, for "^" of a pattern also stands after U+2028, which is no line end in YAML.
      return item.replaceAll(/(?<=^|\n)(?=[^\n])/g, "  ");
    },
  },
} as const satisfies Record<string, Format>;

/** An agent as its author would write it, nothing left out. */
function noted({ agentId, profile, declaredState, lease }: AgentRecord): Record<string, unknown> {
  const { sla, costModel, pricing, endpoint, metadata } = profile ?? {};
  const currency = sla?.maxCost?.currencyCode ?? "EUR";
  return given({
    agent_id: agentId,
    name: profile?.displayName || undefined,
    description: profile?.description || undefined,
    endpoint: endpoint && { uri: endpoint.uri, protocol: endpoint.protocol },
    capabilities: profile?.capabilities,
    sla:
      sla &&
      given({
        p50_latency: sla.p50Latency && span(sla.p50Latency),
        p95_latency: sla.p95Latency && span(sla.p95Latency),
        p99_latency: sla.p99Latency && span(sla.p99Latency),
        success_rate: sla.successRate,
        max_cost: sla.maxCost && `${money(sla.maxCost)}/task`,
      }),
    cost_model:
      costModel &&
      given({
        base_cost: costModel.base && cost(costModel.base, currency),
        per_minute_cost: costModel.perMinute && cost(costModel.perMinute, currency),
        complexity_multiplier: costModel.complexityMultiplier,
      }),
    cost_per_task: pricing?.costPerTask && money(pricing.costPerTask),
    billing_notes: pricing?.billingNotes || undefined,
    max_concurrent: profile?.maxConcurrent,
    capacity_per_hour: profile?.capacityPerHour,
    auto_bid: profile?.autoBid || undefined,
    metadata: Object.keys(metadata ?? {}).length > 0 ? metadata : undefined,
    state:
      declaredState === 0 ? undefined : AvailabilityStateSchema.value[declaredState]?.localName,
    lease: lease && span(lease),
  });
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function span({ seconds, nanos }: Duration): string {
  if (nanos % 1_000_000 === 0) return formatDuration(seconds * 1_000n + BigInt(nanos / 1_000_000));
  return `${seconds}.${String(nanos).padStart(9, "0")}s`;
}

function money({ micros, currencyCode }: Money): string {
  return formatMoney(micros, currencyCode);
}

/** A plain number in the usual currency where it is exact, else text. */
function cost(amount: Money, usual: string): number | string {
  if (amount.currencyCode !== usual) return money(amount);
  const written = formatMicros(amount.micros, 6).replace(/\.?0+$/, "");
  return String(Number(written)) === written ? Number(written) : written;
}
