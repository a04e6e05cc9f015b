import {
  type AgentFilter,
  AgentFilterSchema,
  CapabilityMatch,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { type BenchAgent, CURRENCY, skillName } from "./population.ts";

/** A filter of the load. */
export interface Wanted {
  /** Ranks of capabilities: 0 is the most common. */
  readonly skills: readonly number[];
  readonly match: "ALL" | "ANY";
  /** The highest list price. */
  readonly ceilingMicros?: bigint;
}

const CEILING = 5_000_000n;

/** Of picks: a popular one, one with a price ceiling, two together, and a rare one. */
export const PICKED: readonly Wanted[] = [
  { skills: [0], match: "ALL" },
  { skills: [1], match: "ALL", ceilingMicros: CEILING },
  { skills: [0, 2], match: "ALL" },
  { skills: [99], match: "ALL" },
];

/** Of searches: any of two, popular and rare, below a price. */
export const SEARCHED: readonly Wanted[] = [
  { skills: [0, 1], match: "ANY", ceilingMicros: CEILING },
  { skills: [0, 49], match: "ANY", ceilingMicros: CEILING },
  { skills: [4, 9], match: "ANY", ceilingMicros: CEILING },
  { skills: [49, 99], match: "ANY", ceilingMicros: CEILING },
];

/** Whether an agent can do what is wanted, whatever it asks for it. */
export function isAble(agent: Pick<BenchAgent, "skills">, { skills, match }: Wanted): boolean {
  const has = (rank: number) => agent.skills.includes(rank);
  return match === "ALL" ? skills.every(has) : skills.some(has);
}

/** How the contract says it. */
export function filterOf({ skills, match, ceilingMicros }: Wanted): AgentFilter {
  const capabilities = skills.map(skillName);
  return create(AgentFilterSchema, {
    capabilities,
    match: CapabilityMatch[match],
    ...(ceilingMicros !== undefined && {
      maxCost: { micros: ceilingMicros, currencyCode: CURRENCY },
    }),
  });
}

/** Counts the agents that can do what is wanted. */
export class Census {
  /** How many agents there are. */
  size = 0;
  readonly #able = new Map<string, number>();

  /** Counts one more. */
  add(agent: BenchAgent): void {
    this.size += 1;
    for (const wanted of [...PICKED, ...SEARCHED]) {
      if (isAble(agent, wanted)) this.#able.set(nameOf(wanted), this.able(wanted) + 1);
    }
  }

  /** How many can do what is wanted, whatever they ask for it. */
  able(wanted: Wanted): number {
    return this.#able.get(nameOf(wanted)) ?? 0;
  }
}

/** The same for filters that differ in their prices only. */
function nameOf({ skills, match }: Wanted): string {
  return `${match} ${skills}`;
}
