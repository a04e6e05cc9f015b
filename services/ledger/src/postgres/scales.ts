import type { Transaction } from "../transaction.ts";

/** A character of JSON and what it becomes in memory: names, values, and the objects that bear them. */
const BYTES_PER_CHARACTER = 4;

/** Weighs what was agreed on transactions, by estimate; most have nothing, and cost nothing here. */
export function createScales() {
  const weights = new Map<string, number>();
  let bytes = 0;
  const forget = (id: string) => {
    bytes -= weights.get(id) ?? 0;
    weights.delete(id);
  };
  return {
    get bytes() {
      return bytes;
    },
    weigh({ id, context, delivery, arbitration }: Transaction) {
      if (context === undefined && delivery === undefined && arbitration === undefined) return;
      forget(id);
      const text = JSON.stringify([context, delivery, arbitration]);
      weights.set(id, BYTES_PER_CHARACTER * text.length);
      bytes += BYTES_PER_CHARACTER * text.length;
    },
    forget(id: string) {
      if (weights.size > 0) forget(id);
    },
    clear() {
      weights.clear();
      bytes = 0;
    },
  };
}
