import {
  type Agent,
  AgentSchema,
  AvailabilitySchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { briefOf } from "./brief.ts";
import { tagOf, WireReader } from "./wire.ts";

/** The agent as it is while it is not known who is there. The argument is left as it is. */
export function stale(agent: Agent): Agent {
  const { availability } = agent;
  return availability === undefined
    ? agent
    : { ...agent, availability: { ...availability, stale: true } };
}

/** Behind the message of an agent it makes the agent `stale`: it says `availability { stale: true }`. */
export const STALE_SUFFIX = "\x1a\x02\x48\x01";
/** It says `availability { stale: false }`. */
const FRESH_SUFFIX = "\x1a\x02\x48\x00";

const AVAILABILITY = tagOf(AgentSchema.field.availability.number, "bytes");
const HEARD = tagOf(AvailabilitySchema.field.updateTime.number, "bytes");

/**
 * The message of an agent to keep when `told` is stale or knows no end of its lease, and `before` was kept until now: a
 * replica of the registry that had heard less of the agent when it lost its store, or nothing since it began without
 * one, does not undo what others told. Whether it is stale is not kept: that ends for all agents at once.
 */
export function keptOf(told: string, before = ""): string {
  const [fresh, known] = [partsOf(told), partsOf(before)];
  const heardMore = briefOf(told).isStale && known.heardMs > fresh.heardMs;
  const knowsMore = heardMore || isUnknown(told, before);
  const kept = fresh.rest + (knowsMore ? known : fresh).availability;
  return briefOf(kept).isStale ? kept + FRESH_SUFFIX : kept;
}

/** Whether the agent has a lease of which `told` does not know the end. */
function isUnknown(told: string, before: string): boolean {
  const { lapseMs, lengthMs } = briefOf(told);
  return lengthMs > 0 && lapseMs === Infinity && briefOf(before).lapseMs < Infinity;
}

/** What a message says of availability, when the agent was last heard of, and what else it says. */
function partsOf(message: string): { availability: string; heardMs: number; rest: string } {
  const parts = { availability: "", heardMs: -Infinity, rest: "" };
  const reader = new WireReader(message);
  while (reader.at < message.length) {
    const from = reader.at;
    const tag = reader.tag();
    if (tag === AVAILABILITY) parts.heardMs = readHeard(reader, parts.heardMs);
    else reader.skip(tag);
    const part = message.slice(from, reader.at);
    if (tag === AVAILABILITY) parts.availability += part;
    else parts.rest += part;
  }
  return parts;
}

function readHeard(reader: WireReader, before: number): number {
  let heardMs = before;
  const end = reader.end();
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === HEARD) heardMs = reader.ms();
    else reader.skip(tag);
  }
  return heardMs;
}
