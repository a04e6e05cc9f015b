import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { durationMs } from "@bufbuild/protobuf/wkt";
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
  const { market, agentId, lease, signal, underWay } = desk;
  while (!signal.aborted) {
    const { nextHeartbeatIn } = await desk.insist(() =>
      market.registry.heartbeat({ agentId, lease, inFlight: underWay.size }, { signal }),
    );
    const pauseMs =
      nextHeartbeatIn === undefined ? durationMs(lease) / 3 : durationMs(nextHeartbeatIn);
    await bell.heard(pauseMs, signal);
  }
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
  /** Resolves when it rings (or has rung since the last time), after a while, or when the signal aborts. */
  heard(withinMs: number, signal: AbortSignal): Promise<void>;
}

/** A bell that has not rung. */
export function createBell(): Bell {
  let rung = Promise.withResolvers<void>();
  return {
    ring: () => rung.resolve(),
    async heard(withinMs, signal) {
      const over = Promise.withResolvers<void>();
      const timer = setTimeout(over.resolve, withinMs);
      const abort = (): void => over.resolve();
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) over.resolve();
      await Promise.race([rung.promise, over.promise]);
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      rung = Promise.withResolvers<void>();
    },
  };
}
