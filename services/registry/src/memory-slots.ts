import type { SlotKey } from "./availability-store.ts";
import { createDueQueue } from "./due-queue.ts";

/** The open slots of all agents, in the memory of this process. Those that are due end before all else is done. */
export interface MemorySlots {
  /** How many are open at an agent. */
  count(agentId: string): number;
  /** The end of a slot; undefined when it is not open. */
  endOf(slot: SlotKey, nowMs: number): number | undefined;
  /** Opens a slot, or moves its end. */
  put(slot: SlotKey, endMs: number): void;
  /** Ends a slot. Returns whether it was open. */
  drop(slot: SlotKey, nowMs: number): boolean;
  /** Ends all that are due. */
  endDue(nowMs: number): void;
  forget(agentId: string): void;
}

/** No slot is open; `onChange` is told of an agent when the number of its slots changes. */
export function createMemorySlots(onChange: (agentId: string) => void): MemorySlots {
  const slots = new Map<string, Map<string, number>>();
  const queue = createDueQueue();

  function openOf(agentId: string, nowMs: number): Map<string, number> | undefined {
    const open = slots.get(agentId);
    if (open === undefined) return undefined;
    for (const [slotId, endMs] of open) if (endMs <= nowMs) remove(agentId, slotId, open);
    return open;
  }

  function remove(agentId: string, slotId: string, open: Map<string, number>): void {
    open.delete(slotId);
    if (open.size === 0) slots.delete(agentId);
    onChange(agentId);
  }

  return {
    count: (agentId) => slots.get(agentId)?.size ?? 0,
    endOf: ({ agentId, slotId }, nowMs) => openOf(agentId, nowMs)?.get(slotId),
    put({ agentId, slotId }, endMs) {
      const open = slots.get(agentId) ?? new Map<string, number>();
      slots.set(agentId, open);
      const isNew = !open.has(slotId);
      open.set(slotId, endMs);
      queue.put(agentId, endMs);
      if (isNew) onChange(agentId);
    },
    drop({ agentId, slotId }, nowMs) {
      const open = openOf(agentId, nowMs);
      if (open?.has(slotId) !== true) return false;
      remove(agentId, slotId, open);
      return true;
    },
    endDue(nowMs) {
      for (const agentId of queue.takeDue(nowMs)) {
        const ends = openOf(agentId, nowMs)?.values() ?? [];
        let firstMs = Infinity;
        for (const endMs of ends) firstMs = Math.min(firstMs, endMs);
        if (firstMs < Infinity) queue.put(agentId, firstMs);
      }
    },
    forget(agentId) {
      slots.delete(agentId);
    },
  };
}
