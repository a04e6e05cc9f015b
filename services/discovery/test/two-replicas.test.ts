import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { expect, test } from "vitest";
import { anAgent, registryOf } from "./support/discovery.ts";
import { startReplicas } from "./support/replicas.ts";

const { REDIS_URL } = process.env;
const STAYERS = ["b", "d", "f", "h", "j"];
const GUESTS = ["a", "c", "e", "g", "i", "k"];
const ROUNDS = 40;
const CALLERS = 16;

// Needs REDIS_URL, such as redis://127.0.0.1:6379.
test.skipIf(REDIS_URL === undefined)(
  "two processes over one Redis pick any two agents that stay equally often, or one apart, while others come and go",
  async () => {
    const capability = `capability-${process.pid}-${Date.now()}`;
    const facts = { capabilities: [capability] };
    const registry = registryOf(...STAYERS.map((id) => anAgent(id, facts)));
    await using replicas = await startReplicas(2, { registry, redisUrl: REDIS_URL ?? "" });
    const picks = new Map<string, number>();
    const named = new Set<string>();
    let asked = 0;
    let isAlone = false;

    async function call(caller: number): Promise<void> {
      const replica = replicas.calls[caller % 2] as (typeof replicas.calls)[number];
      for (let nth = 0; nth < 1 + (caller % 7); nth += 1) {
        asked += 1;
        if (asked % 20 === 0) visit(asked / 20);
        const { agent, reason } = await replica.selectAgent({
          filter: { capabilities: [capability] },
          strategy: SelectionStrategy.ROUND_ROBIN,
        });
        const id = String(agent?.agentId);
        picks.set(id, (picks.get(id) ?? 0) + 1);
        named.add(id);
        isAlone ||= reason.includes("alone");
      }
    }

    /** One guest comes and another one goes. */
    function visit(nth: number): void {
      registry.put(anAgent(GUESTS[nth % GUESTS.length] as string, facts));
      registry.unregister(GUESTS[(nth + 3) % GUESTS.length] as string);
    }

    for (let round = 0; round < ROUNDS; ) {
      isAlone = false;
      await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));

      const counts = STAYERS.map((id) => picks.get(id) ?? 0);
      // On a machine too busy to hear Redis in time a replica counts alone, and says so: then the count begins anew.
      if (isAlone) picks.clear();
      else {
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        round += 1;
      }
    }
    expect([...named].sort()).toEqual([...STAYERS, ...GUESTS].sort());
  },
);
