import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { streamed } from "@bourse/rpc";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Desk } from "./agent.ts";

/** Enters the market; an earlier registration is replaced and its reputation kept. */
export async function register(desk: Desk): Promise<void> {
  const { market, agentId, profile, lease } = desk;
  const { agent } = await desk.insist(() =>
    market.registry.registerAgent(
      {
        agentId,
        profile,
        lease,
        declaredState: AvailabilityState.ONLINE,
        replaceExisting: true,
      },
      { signal: desk.signal },
    ),
  );
  desk.tell({ kind: "registered", agent });
}

/** Keeps the lease and tells how loaded the agent is, at once when that changes, until the agent stops. */
export async function attend(desk: Desk, bell: Bell): Promise<void> {
  while (!desk.signal.aborted) {
    let wasHeard = false;
    await desk.insist(async () => {
      // A stream that went well and broke is no failed attempt: the next begins a new count.
      if (wasHeard) return;
      await keepAlive(desk, bell, () => {
        wasHeard = true;
      });
    });
  }
}

/** Tells the load on one stream until it breaks; the next message goes when the last was answered. */
async function keepAlive(desk: Desk, bell: Bell, onAnswer: () => void): Promise<void> {
  const { market, agentId, lease, underWay, callsUnderWay } = desk;
  const over = new AbortController();
  const signal = AbortSignal.any([desk.signal, over.signal]);
  const thirdMs = durationMs(lease) / 3;
  const answers = createBell();
  let pauseMs = thirdMs;

  async function* messages() {
    while (!signal.aborted) {
      yield { agentId, lease, inFlight: underWay.size + callsUnderWay() };
      // While nothing comes back the lease runs out; another connection may do better.
      if (!(await answers.heard(thirdMs, signal))) throw unanswered();
      await bell.heard(pauseMs, signal);
    }
  }

  try {
    const open = (inner: AbortSignal) => market.registry.keepAlive(messages(), { signal: inner });
    for await (const { nextMessageIn } of streamed(open, desk.signal)) {
      pauseMs = nextMessageIn === undefined ? thirdMs : durationMs(nextMessageIn);
      onAnswer();
      answers.ring();
    }
  } finally {
    over.abort();
  }
}

function unanswered(): ConnectError {
  return new ConnectError("the registry does not answer", Code.DeadlineExceeded);
}

const FAREWELL_MS = 2_000;

/** Says that the agent is gone. What goes wrong does not matter any more: its lease will lapse. */
export async function leave({ market, agentId }: Desk): Promise<void> {
  const gone = { agentId, declaredState: AvailabilityState.OFFLINE, inFlight: 0 };
  await market.registry.heartbeat(gone, { timeoutMs: FAREWELL_MS }).catch(() => {});
}

/** Wakes who waits for it. */
export interface Bell {
  ring(): void;
  /**
   * Resolves when it rings (or has rung since the last time), after a while, or when the signal aborts; false only when
   * it was not heard in that while.
   */
  heard(withinMs: number, signal: AbortSignal): Promise<boolean>;
}

/** A bell that has not rung. */
export function createBell(): Bell {
  let rung = Promise.withResolvers<boolean>();
  return {
    ring: () => rung.resolve(true),
    async heard(withinMs, signal) {
      const over = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => over.resolve(false), withinMs);
      const abort = (): void => over.resolve(true);
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
      const wasHeard = await Promise.race([rung.promise, over.promise]);
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      rung = Promise.withResolvers<boolean>();
      return wasHeard;
    },
  };
}
