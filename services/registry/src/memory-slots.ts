import type { SlotKey } from "./availability-store.ts";
import { createDueQueue } from "./due-queue.ts";

/** The open slots of all agents, in the memory of this process. Those that are due end before all else is done. */
export interface MemorySlots {
  /** How many are open at an agent. */
  count(agentId: string): number;
  /** How many of them are a holder's. */
  countOf(agentId: string, holder: string): number;
  /** The end of a slot; undefined when it is not open. */
  endOf(slot: SlotKey, nowMs: number): number | undefined;
  /** Opens a slot that is not open. */
  open(slot: SlotKey, endMs: number, holder: string | undefined): void;
  /** Moves the end of a slot. Returns whether it is open. */
  move(slot: SlotKey, nowMs: number, endMs: number): boolean;
  /** Ends a slot. Returns whether it was open. */
  drop(slot: SlotKey, nowMs: number): boolean;
  /** Ends all that are due. */
  endDue(nowMs: number): void;
  forget(agentId: string): void;
}

interface Slot {
  readonly endMs: number;
  readonly holder: string | undefined;
}

/** No slot is open; `onChange` is told of an agent when the number of its slots changes. */
export function createMemorySlots(onChange: (agentId: string) => void): MemorySlots {
  const slots = new Map<string, Map<string, Slot>>();
  const queue = createDueQueue();

  function openAt(agentId: string, nowMs: number): Map<string, Slot> | undefined {
    const open = slots.get(agentId);
    if (open === undefined) return undefined;
    for (const [slotId, { endMs }] of open) if (endMs <= nowMs) remove(agentId, slotId, open);
    return open;
  }

  function remove(agentId: string, slotId: string, open: Map<string, Slot>): void {
    open.delete(slotId);
    if (open.size === 0) slots.delete(agentId);
    onChange(agentId);
  }

  return {
    count: (agentId) => slots.get(agentId)?.size ?? 0,
    countOf(agentId, holder) {
      let count = 0;
      for (const slot of slots.get(agentId)?.values() ?? [])
        count += Number(slot.holder === holder);
      return count;
    },
    endOf: ({ agentId, slotId }, nowMs) => openAt(agentId, nowMs)?.get(slotId)?.endMs,
    open({ agentId, slotId }, endMs, holder) {
      const open = slots.get(agentId) ?? new Map<string, Slot>();
      slots.set(agentId, open);
      open.set(slotId, { endMs, holder });
      queue.put(agentId, endMs);
      onChange(agentId);
    },
    move({ agentId, slotId }, nowMs, endMs) {
      const open = openAt(agentId, nowMs);
      const slot = open?.get(slotId);
      if (open === undefined || slot === undefined) return false;
      open.set(slotId, { ...slot, endMs });
      queue.put(agentId, endMs);
      return true;
    },
    drop({ agentId, slotId }, nowMs) {
      const open = openAt(agentId, nowMs);
      if (open?.has(slotId) !== true) return false;
      remove(agentId, slotId, open);
      return true;
    },
    endDue(nowMs) {
      for (const agentId of queue.takeDue(nowMs)) {
        const ends = openAt(agentId, nowMs)?.values() ?? [];
        let firstMs = Infinity;
        for (const { endMs } of ends) firstMs = Math.min(firstMs, endMs);
        if (firstMs < Infinity) queue.put(agentId, firstMs);
      }
    },
    forget(agentId) {
      slots.delete(agentId);
    },
  };
}
