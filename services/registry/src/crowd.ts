import { fnv1a } from "./fnv1a.ts";

/** Agents that are too many to be named. */
export interface Crowd {
  add(agentId: string): void;
  /** True of each that was added, and perhaps of others. */
  mayHold(agentId: string): boolean;
}

/** A power of two. A million agents that are in it leave four of ten others out. */
const BITS = 2 ** 20;

/** A Bloom filter of one hash: 128 KiB, however many there are. */
export function createCrowd(agentIds: Iterable<string>): Crowd {
  const bytes = new Uint8Array(BITS / 8);
  const crowd: Crowd = {
    add(agentId) {
      const bit = fnv1a(agentId) % BITS;
      bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
    },
    mayHold(agentId) {
      const bit = fnv1a(agentId) % BITS;
      return ((bytes[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
    },
  };
  for (const agentId of agentIds) crowd.add(agentId);
  return crowd;
}

/** Every agent. */
export const EVERYBODY: Crowd = { add() {}, mayHold: () => true };
