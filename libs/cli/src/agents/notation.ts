import {
  type AgentProfileSchema,
  type AvailabilityState,
  AvailabilityStateSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { AgentRecordSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { parseDuration, parseMicros, parseMoney } from "@bourse/scoring";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { z } from "zod";
import { messageOf } from "../failure.ts";

/** The notation of agents' authors: durations as "20m", money as "€2.50/task", cost models as plain numbers. */

const NANOS = 1_000_000_000n;

const text = z.string().min(1);
const ratio = z.number().min(0).max(1);
const duration = z.string().transform(notation(readDuration));
const money = z.string().transform(notation(readMoney));
/** A plain number is in the currency of `max_cost`, else in EUR, and read from its text, so that 0.1 is a tenth. */
const amount = z.union([z.number(), z.string()]).transform(
  notation((value) => {
    const written = String(value);
    return /^[\d.]+$/.test(written)
      ? { micros: parseMicros(written), currencyCode: undefined }
      : readMoney(written);
  }),
);
const STATES = AvailabilityStateSchema.values.slice(1).map((value) => value.localName);
/** What an agent's `status` says of its state. */
const STATUSES: Readonly<Record<string, string>> = {
  active: "ONLINE",
  available: "ONLINE",
  online: "ONLINE",
  busy: "BUSY",
  degraded: "BUSY",
  inactive: "OFFLINE",
  offline: "OFFLINE",
  maintenance: "MAINTENANCE",
  suspended: "MAINTENANCE",
};

/** An agent of a file, as its author writes it. */
export const agentNotation = z.strictObject({
  agent_id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ -"),
  name: text.optional(),
  description: text.optional(),
  endpoint: z.strictObject({ uri: z.string(), protocol: z.string() }).optional(),
  capabilities: z.array(text).min(1),
  sla: z
    .strictObject({
      p50_latency: duration.optional(),
      p95_latency: duration.optional(),
      p99_latency: duration.optional(),
      success_rate: ratio.optional(),
      max_cost: money.optional(),
    })
    .optional(),
  cost_model: z
    .strictObject({
      base_cost: amount,
      per_minute_cost: amount.optional(),
      complexity_multiplier: z.number().min(0).optional(),
    })
    .optional(),
  cost_per_task: money.optional(),
  billing_notes: text.optional(),
  max_concurrent: z.int().positive().optional(),
  capacity_per_hour: z.int().positive().optional(),
  auto_bid: z.boolean().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  state: z.enum(STATES as [string, ...string[]]).optional(),
  status: z.string().transform(notation(readStatus)).optional(),
  lease: duration.optional(),
});

type Noted = z.infer<typeof agentNotation>;

/** The profile that an author wrote. */
export function profileOf(agent: Noted): MessageInitShape<typeof AgentProfileSchema> {
  const { sla, cost_model: model, endpoint, cost_per_task: cost, billing_notes: notes } = agent;
  const currency = sla?.max_cost?.currencyCode ?? "EUR";
  const of = (cost: { micros: bigint; currencyCode: string | undefined }) => {
    return { micros: cost.micros, currencyCode: cost.currencyCode ?? currency };
  };
  return {
    displayName: agent.name ?? "",
    description: agent.description ?? "",
    ...(endpoint !== undefined && { endpoint }),
    capabilities: agent.capabilities,
    metadata: agent.metadata ?? {},
    autoBid: agent.auto_bid ?? false,
    ...(agent.max_concurrent !== undefined && { maxConcurrent: agent.max_concurrent }),
    ...(agent.capacity_per_hour !== undefined && { capacityPerHour: agent.capacity_per_hour }),
    ...(sla !== undefined && {
      sla: {
        ...(sla.p50_latency !== undefined && { p50Latency: sla.p50_latency }),
        ...(sla.p95_latency !== undefined && { p95Latency: sla.p95_latency }),
        ...(sla.p99_latency !== undefined && { p99Latency: sla.p99_latency }),
        ...(sla.success_rate !== undefined && { successRate: sla.success_rate }),
        ...(sla.max_cost !== undefined && { maxCost: sla.max_cost }),
      },
    }),
    ...(model !== undefined && {
      costModel: {
        base: of(model.base_cost),
        ...(model.per_minute_cost !== undefined && { perMinute: of(model.per_minute_cost) }),
        ...(model.complexity_multiplier !== undefined && {
          complexityMultiplier: model.complexity_multiplier,
        }),
      },
    }),
    // Notes without a price are the registry's to refuse.
    ...((cost ?? notes) !== undefined && {
      pricing: { ...(cost !== undefined && { costPerTask: cost }), billingNotes: notes ?? "" },
    }),
  };
}

/**
 * The record of an import that an author wrote.
 * @throws Error when `state` and `status` disagree
 */
export function recordOf(agent: Noted): MessageInitShape<typeof AgentRecordSchema> {
  const declared = agent.state ?? agent.status;
  if (agent.status !== undefined && agent.status !== declared) {
    throw new Error(`status: says ${agent.status}, but state says ${declared}`);
  }
  const state = AvailabilityStateSchema.values.find((value) => value.localName === declared);
  return {
    agentId: agent.agent_id,
    profile: profileOf(agent),
    declaredState: (state?.number ?? 0) as AvailabilityState,
    ...(agent.lease !== undefined && { lease: agent.lease }),
  };
}

function readStatus(written: string): string {
  const status = written.toLowerCase();
  const state = Object.hasOwn(STATUSES, status) ? STATUSES[status] : undefined;
  if (state === undefined) throw new Error(`must be ${Object.keys(STATUSES).join(", ")}`);
  return state;
}

/** "20m", or seconds with up to nine decimals, as in "0.000000001s". */
function readDuration(written: string) {
  const [, seconds = "", fraction] = /^(\d{1,12})\.(\d{1,9})s$/.exec(written.trim()) ?? [];
  if (fraction !== undefined) {
    return { seconds: BigInt(seconds), nanos: Number(fraction.padEnd(9, "0")) };
  }
  const nanos = parseDuration(written) * 1_000_000n;
  return { seconds: nanos / NANOS, nanos: Number(nanos % NANOS) };
}

/** "€2.50/task" or "2.50 EUR"; a minus before it is below nothing. */
function readMoney(written: string) {
  const trimmed = written.trim();
  const isNegative = trimmed.startsWith("-");
  const { micros, currency } = parseMoney(isNegative ? trimmed.slice(1) : trimmed);
  return { micros: isNegative ? -micros : micros, currencyCode: currency };
}

/** Turns what a parser throws into an issue with its place. */
export function notation<I, O>(parser: (input: I) => O) {
  return (input: I, context: z.RefinementCtx): O => {
    try {
      return parser(input);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  };
}
