import type { RegisterAgentRequestSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { chanceOf } from "../../support/chance.ts";
import { zipfOver } from "./zipf.ts";

/** What an agent of the bench is like. */
export interface BenchAgent {
  readonly id: string;
  /** Ranks, each once: 1 to 10 of them. */
  readonly skills: readonly number[];
  readonly priceMicros: bigint;
  readonly p95Seconds: number;
  readonly region: string;
}

export const CURRENCY = "EUR";
/** Different capabilities that there are. */
const SKILLS = 1_000;
const SKILLS_MAX = 10;
/** From 0.10 to 10.00. */
const PRICE_STEPS = 100;
/** No agent asks less. */
export const PRICE_STEP_MICROS = 100_000n;
const REGIONS = ["eu-north", "eu-west", "us-east", "us-west", "ap-south"] as const;
/** 2^32 divided by the golden ratio: neighbours get seeds that are far apart. */
const SPREAD = 0x9e3779b1;

const drawSkill = zipfOver(SKILLS);

/** The agent of a number from 0 on: the same whenever it is asked for. */
export function agentOf(nth: number): BenchAgent {
  const chance = chanceOf(Math.imul(nth + 1, SPREAD));
  const wanted = 1 + chance.below(SKILLS_MAX);
  const skills = new Set<number>();
  while (skills.size < wanted) skills.add(drawSkill(chance));
  return {
    id: agentId(nth),
    skills: [...skills],
    priceMicros: priceOf(chance.below(PRICE_STEPS)),
    p95Seconds: 1 + chance.below(600),
    region: chance.oneOf(REGIONS),
  };
}

/** The id of the agent of a number. */
export function agentId(nth: number): string {
  return `agent-${String(nth).padStart(7, "0")}`;
}

/** The number of the agent of an id; undefined for one that is not of the population. */
export function numberOf(id: string): number | undefined {
  const digits = /^agent-(\d+)$/.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The capability of a rank: 0 is the most common. */
export function skillName(rank: number): string {
  return `skill-${rank + 1}`;
}

/** One of the prices that agents ask. */
export function priceOf(step: number): bigint {
  return BigInt((step % PRICE_STEPS) + 1) * PRICE_STEP_MICROS;
}

/** How it is registered. */
export function registrationOf(
  agent: BenchAgent,
): MessageInitShape<typeof RegisterAgentRequestSchema> {
  const { id, skills, priceMicros, p95Seconds, region } = agent;
  return {
    agentId: id,
    profile: {
      displayName: `Agent ${id}`,
      description: "Registered by the bench of discovery",
      endpoint: { uri: `grpc://${id}.agents.example:443`, protocol: "grpc" },
      capabilities: skills.map(skillName),
      sla: {
        p50Latency: { seconds: BigInt(Math.ceil(p95Seconds / 2)) },
        p95Latency: { seconds: BigInt(p95Seconds) },
        successRate: 0.95,
      },
      pricing: { costPerTask: { micros: priceMicros, currencyCode: CURRENCY } },
      maxConcurrent: 8,
      metadata: { region },
    },
  };
}
