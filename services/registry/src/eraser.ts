import { enqueue, type OutboxMessage, type Pool, withTransaction } from "@bourse/postgres";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { Code, ConnectError } from "@connectrpc/connect";
import { ERASERS, type Eraser, type ErasureOrder, type StepRefusal } from "./erasure.ts";
import { erasureEvent } from "./lineage.ts";
import { completeStep, recordStepRefusal } from "./postgres/erasure.ts";

/** The kind of outbox messages that ask a service to erase an agent. */
export const ERASE = "erase";

/** Asks one service to erase; resolves when it has. */
export type Erase = (order: ErasureOrder) => Promise<void>;

interface ErasePayload extends ErasureOrder {
  readonly service: Eraser;
}

/**
 * The messages of an erasure. Their key is that of the agent's lineage: what it did is told before it is erased, and
 * one service erases after the other.
 */
export function eraseMessages(order: ErasureOrder): readonly OutboxMessage[] {
  return ERASERS.map((service) => {
    const payload: ErasePayload = { ...order, service };
    return {
      id: `${ERASE}/${order.erasureId}/${service}`,
      kind: ERASE,
      key: order.agentId,
      payload,
    };
  });
}

/**
 * Returns the function that delivers messages of kind `erase`, for a relay. No refusal is final: a task ends, an
 * account is emptied, and then it goes on. Why not yet is written to the erasure, without the agent's id.
 *
 * Erasing may take longer than a relay waits. The call goes on then, and the next delivery waits for the same one.
 */
export function deliverErasure(options: {
  readonly pool: Pool;
  readonly services: Readonly<Record<Eraser, Erase | undefined>>;
  readonly now: () => Date;
  readonly onComplete: (erasureId: string) => void;
}): (message: OutboxMessage) => Promise<void> {
  const { pool, services, now, onComplete } = options;
  const underWay = new Map<string, Promise<void>>();

  async function erase({ service, ...order }: ErasePayload): Promise<void> {
    const { erasureId } = order;
    try {
      const ask = services[service];
      if (ask === undefined) throw new Error(`the address of ${service} is not configured`);
      await ask(order);
    } catch (error) {
      const refusal = refusalOf(error, order.agentId, now());
      await recordStepRefusal(pool, erasureId, service, refusal);
      throw new Error(`${service} cannot erase yet: ${refusal.reason}`);
    }
    const isComplete = await withTransaction(pool, async (tx) => {
      const at = now();
      const isLast = await completeStep(tx, erasureId, service, at);
      if (isLast) await enqueue(tx, [erasureEvent("agent_erased", erasureId, at)], at);
      return isLast;
    });
    if (isComplete) onComplete(erasureId);
  }

  return (message) => {
    const known = underWay.get(message.id);
    if (known !== undefined) return known;
    const erasing = erase(message.payload as ErasePayload).finally(() => {
      underWay.delete(message.id);
    });
    underWay.set(message.id, erasing);
    return erasing;
  };
}

function refusalOf(error: unknown, agentId: string, at: Date): StepRefusal {
  if (!(error instanceof ConnectError)) return { reason: "UNAVAILABLE", metadata: {}, at };
  const told = Object.entries(metadataOf(error)).filter(
    ([name, value]) => name !== "request_id" && !value.includes(agentId),
  );
  const reason = reasonOf(error) ?? Code[error.code].toUpperCase();
  return { reason, metadata: Object.fromEntries(told), at };
}
