import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { WatchAgentsResponse } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { streamed } from "@bourse/rpc";
import { expect, test, vi } from "vitest";
import { aDatabase, aProfile, openRegistry, type Registry } from "./registry.ts";

const AGENTS = 1_000;
const ROUNDS = 25;
/** Long enough that what is held for a reader would be seen. */
const TEXT = "x".repeat(3_000);
const MIB = 1024 * 1024;

function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function change(registry: Registry, round: number): Promise<void> {
  const profile = aProfile({ description: `${round} ${TEXT}` });
  const agents = Array.from({ length: AGENTS }, (_, nth) => ({ agentId: `agent-${nth}`, profile }));
  async function* stream() {
    yield { agents, replaceExisting: true };
  }
  for await (const { faults } of registry.importAgents(stream())) expect(faults).toEqual([]);
}

test("a watcher that does not read holds no memory, and then hears of each agent's last state", async () => {
  await using database = await aDatabase();
  await using registry = await openRegistry({ url: database.url });
  await change(registry.operator, 0);
  const stop = new AbortController();
  const open = (signal: AbortSignal) => registry.operator.watchAgents({}, { signal });
  const events = streamed(open, stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<WatchAgentsResponse> => {
    const { value, done } = await events.next();
    return done ? expect.fail("the stream has ended") : value;
  };
  while ((await next()).event.case !== "synced");

  const before = heldBytes();
  for (let round = 1; round <= ROUNDS; round++) await change(registry.operator, round);
  // All that came meanwhile has some 75 MiB. Buffers that are let go of are given back a while later.
  await vi.waitFor(() => expect(heldBytes() - before).toBeLessThan(16 * MIB), { timeout: 10_000 });

  const latest = new Map<string, string>();
  let heard = 0;
  const isLast = (text: string) => text.startsWith(`${ROUNDS} `);
  while (latest.size < AGENTS || ![...latest.values()].every(isLast)) {
    const { event } = await next();
    if (event.case !== "agent") continue;
    heard++;
    latest.set(event.value.agentId, event.value.profile?.description ?? "");
  }
  stop.abort();
  await events.return?.(undefined);
  expect(heard).toBeLessThan((AGENTS * ROUNDS) / 4);
}, 60_000);
