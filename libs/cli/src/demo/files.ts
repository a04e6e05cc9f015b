import { readFileSync } from "node:fs";
import type { TaskSpecSchema } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { Complexity } from "@bourse/proto/bourse/type/v1/outcome_pb.ts";
import { parseDuration, parseMicros, parseMoney } from "@bourse/scoring";
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { parse } from "yaml";
import { z } from "zod";
import { agentNotation, notation, profileOf } from "../agents/notation.ts";
import { Failure, messageOf } from "../failure.ts";

/** An agent of an agents file. */
export interface DemoAgent {
  readonly agentId: string;
  readonly profile: MessageInitShape<typeof AgentProfileSchema>;
  /** Work to let it do first. */
  readonly earlier: readonly EarlierWork[];
  /** What it offers for the task; absent: what its cost model says. */
  readonly bid: DemoBid | undefined;
}

/** What an agent offers. */
export interface DemoBid {
  readonly priceMicros: bigint;
  readonly latencyMs: bigint;
  readonly successRate: number;
}

/** A task that an agent did before. */
export interface EarlierWork {
  readonly priceMicros: bigint;
  readonly estimatedMs: bigint;
  readonly actualMs: bigint;
  readonly success: boolean;
}

/** A task file. */
export interface DemoTask {
  readonly requester: string;
  readonly budgetMicros: bigint;
  readonly spec: MessageInitShape<typeof TaskSpecSchema>;
  readonly capability: string;
  readonly currency: string;
  readonly maxCostMicros: bigint;
  readonly maxLatencyMs: bigint;
  readonly complexity: "low" | "medium" | "high" | "critical" | undefined;
}

const duration = z.string().transform(notation(parseDuration));
const money = z.string().transform(notation(parseMoney));
/** Plain numbers are read from their text, so that 0.1 is a tenth and not a float near it. */
const amount = z.union([z.number(), z.string()]).transform(notation((v) => parseMicros(String(v))));
const ratio = z.number().min(0).max(1);
const text = z.string().min(1);

const agentsFile = z.object({
  agents: z
    .array(
      agentNotation.extend({
        earlier: z
          .array(
            z.strictObject({
              bid_cost: amount,
              estimated_latency: duration,
              actual_latency: duration,
              success: z.boolean(),
            }),
          )
          .default([]),
        bid: z
          .strictObject({
            bid_cost: amount,
            estimated_latency: duration,
            estimated_success_rate: ratio.default(0.95),
          })
          .optional(),
      }),
    )
    .min(1),
});

const taskFile = z.strictObject({
  requester: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  budget: money,
  task_type: text,
  requirements: z.strictObject({
    capability: text,
    max_latency_minutes: z.number().positive(),
    min_success_rate: ratio,
    max_cost: money,
    complexity: z.enum(["low", "medium", "high", "critical"]).optional(),
  }),
  payload: z.record(z.string(), z.json()).default({}),
});

/** @throws Failure naming every field at fault */
export function readAgents(file: string): readonly DemoAgent[] {
  return read(file, agentsFile).agents.map((agent) => {
    return {
      agentId: agent.agent_id,
      profile: profileOf(agent),
      earlier: agent.earlier.map((work) => ({
        priceMicros: work.bid_cost,
        estimatedMs: work.estimated_latency,
        actualMs: work.actual_latency,
        success: work.success,
      })),
      bid: agent.bid && {
        priceMicros: agent.bid.bid_cost,
        latencyMs: agent.bid.estimated_latency,
        successRate: agent.bid.estimated_success_rate,
      },
    };
  });
}

/** @throws Failure naming every field at fault */
export function readTask(file: string): DemoTask {
  const task = read(file, taskFile);
  const { requirements } = task;
  const { micros, currency } = requirements.max_cost;
  const maxLatencyMs = BigInt(Math.round(requirements.max_latency_minutes * 60_000));
  return {
    requester: task.requester,
    budgetMicros: task.budget.micros,
    capability: requirements.capability,
    currency,
    maxCostMicros: micros,
    maxLatencyMs,
    complexity: requirements.complexity,
    spec: {
      taskType: task.task_type,
      requirements: {
        capabilities: [requirements.capability],
        maxLatency: asDuration(maxLatencyMs),
        minSuccessRate: requirements.min_success_rate,
        maxCost: { micros, currencyCode: currency },
        complexity: COMPLEXITY[requirements.complexity ?? "none"],
      },
      payload: task.payload as JsonObject,
    },
  };
}

const COMPLEXITY = {
  none: Complexity.UNSPECIFIED,
  low: Complexity.LOW,
  medium: Complexity.MEDIUM,
  high: Complexity.HIGH,
  critical: Complexity.CRITICAL,
} as const;

/** Milliseconds as the Duration of a contract. */
export function asDuration(ms: bigint) {
  return durationFromMs(Number(ms));
}

function read<T>(file: string, schema: z.ZodType<T>): T {
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${messageOf(error)}`);
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const faults = result.error.issues.map(
    ({ path, message }) => `  ${path.join(".") || "(the file)"}: ${message}`,
  );
  throw new Failure(`${file} is wrong:\n${faults.join("\n")}`);
}
