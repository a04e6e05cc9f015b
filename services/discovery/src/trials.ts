import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { Client } from "@connectrpc/connect";
import type { Trials } from "./trial.ts";

/** How long the registry may take: there are other agents. */
const TAKE_MS = 250;
/** For this long a refusal is believed without asking again. */
const REFUSED_MS = 500;
/** Refusals that are remembered at once. */
const REFUSALS_MAX = 10_000;

/**
 * Takes trials at the registry. Picks may come by the thousand while one agent is tried: of each agent and capability
 * one question is asked at a time, and a refusal holds for half a second. While the registry is away nobody is tried.
 */
export function trialsAt(
  registry: Pick<Client<typeof RegistryService>, "takeProbe">,
  /** A clock that is never set, in milliseconds. */
  nowMs: () => number = () => performance.now(),
): Trials {
  const asking = new Set<string>();
  const refused = new Map<string, number>();

  async function ask(agentId: string, capability: string): Promise<boolean> {
    try {
      const request = { agentId, capability };
      const { granted } = await registry.takeProbe(request, { timeoutMs: TAKE_MS });
      return granted;
    } catch {
      return false;
    }
  }

  return {
    async take(agentId, capability) {
      const key = `${agentId} ${capability}`;
      const untilMs = refused.get(key) ?? 0;
      if (asking.has(key) || untilMs > nowMs()) return false;
      asking.add(key);
      const isGranted = await ask(agentId, capability);
      asking.delete(key);
      refused.delete(key);
      if (!isGranted) {
        if (refused.size >= REFUSALS_MAX) refused.clear();
        refused.set(key, nowMs() + REFUSED_MS);
      }
      return isGranted;
    },
  };
}
