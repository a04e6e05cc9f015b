import type { OutboxMessage } from "@bourse/postgres";
import {
  type LineageService,
  type NewEvent,
  NewEventSchema,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";

/** The kind of outbox messages that are lineage events. */
export const LINEAGE = "lineage";

/** Most events that one call appends. */
const BATCH_MAX = 500;

/** An event to be told. */
export interface LineageEvent {
  readonly eventId: string;
  readonly type: string;
  readonly eventTime: Date;
  readonly subjects?: Readonly<Record<string, string>>;
  readonly taskId?: string;
  readonly payload?: JsonObject;
}

/**
 * Wraps an event for the outbox, in its JSON form. Events of one `key` (the task's or the agent's id) are recorded in
 * order.
 */
export function lineageMessage(key: string, event: LineageEvent): OutboxMessage {
  const payload = { ...event, eventTime: textOf(event.eventTime) };
  return { id: `${LINEAGE}/${event.eventId}`, kind: LINEAGE, key, payload };
}

/** Events of a batch happen at one and the same time, which takes as long to write as the rest of an event to make. */
function textOf(time: Date): string {
  const ms = time.getTime();
  if (ms !== last.ms) last = { ms, text: time.toISOString() };
  return last.text;
}

/** What was written last. */
let last = { ms: 0, text: new Date(0).toISOString() };

/**
 * Returns the function that records outbox messages of kind `lineage` on the ledger, for a relay.
 *
 * What comes while a call is under way goes together in the next one. When the ledger refuses a batch for good, its
 * events go one by one, so that only the one at fault is refused.
 */
export function deliverLineage(
  client: Pick<Client<typeof LineageService>, "appendEvents">,
): (message: OutboxMessage, signal: AbortSignal) => Promise<void> {
  let waiting: Delivery[] = [];
  let busy = false;

  async function append(deliveries: readonly Delivery[]): Promise<void> {
    const events = deliveries.map((delivery) => delivery.event);
    using end = endOfAll(deliveries.map((delivery) => delivery.signal));
    await client.appendEvents({ events }, { signal: end.signal });
  }

  async function deliver(all: readonly Delivery[]): Promise<void> {
    const deliveries = all.filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    if (deliveries.length === 0) return;
    try {
      await append(deliveries);
      for (const delivery of deliveries) delivery.resolve();
    } catch (error) {
      if (deliveries.length === 1 || !permanent(error)) {
        for (const delivery of deliveries) delivery.reject(error);
        return;
      }
      for (const delivery of deliveries) await deliver([delivery]);
    }
  }

  async function work(): Promise<void> {
    busy = true;
    while (waiting.length > 0) {
      const deliveries = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      await deliver(deliveries);
    }
    busy = false;
  }

  return (message, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const event = fromJson(NewEventSchema, message.payload as JsonValue);
    waiting.push({ event, signal, resolve, reject });
    if (!busy) queueMicrotask(() => busy || void work());
    return promise;
  };
}

interface Delivery {
  readonly event: NewEvent;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A signal that aborts when all of these have: until then somebody waits for the answer. */
function endOfAll(signals: readonly AbortSignal[]): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const waiting = new Set(signals);
  const leave = (event: Event): void => {
    waiting.delete(event.target as AbortSignal);
    if (waiting.size === 0) controller.abort();
  };
  for (const signal of waiting) signal.addEventListener("abort", leave);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of waiting) signal.removeEventListener("abort", leave);
    },
  };
}

const PERMANENT: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.Unimplemented,
  Code.NotFound,
]);

/** Whether a receiver refused for good, so that sending the same again cannot help. */
export function permanent(error: unknown): boolean {
  return error instanceof ConnectError && PERMANENT.has(error.code);
}
