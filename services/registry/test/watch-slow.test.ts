import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { WatchAgentsResponse } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { streamed } from "@bourse/rpc";
import { expect, test, vi } from "vitest";
import { createMemoryAvailability } from "../src/memory.ts";
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

async function change(registry: Registry, round: number, from = 0): Promise<void> {
  const profile = aProfile({ description: `${round} ${TEXT}` });
  const agents = Array.from({ length: AGENTS }, (_, nth) => ({
    agentId: `agent-${from + nth}`,
    profile,
  }));
  async function* stream() {
    yield { agents, replaceExisting: true };
  }
  for await (const { faults } of registry.importAgents(stream())) expect(faults).toEqual([]);
}

/** A watcher that has its snapshot, and reads on only when it is asked to. */
async function aReader(registry: Registry) {
  const stop = new AbortController();
  const open = (signal: AbortSignal) => registry.watchAgents({}, { signal });
  const events = streamed(open, stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<WatchAgentsResponse> => {
    const { value, done } = await events.next();
    return done ? expect.fail("the stream has ended") : value;
  };
  while ((await next()).event.case !== "synced");
  return {
    next,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await events.return?.(undefined);
    },
  };
}

test("a watcher that does not read holds no memory, and then hears of each agent's last state", async () => {
  await using database = await aDatabase();
  await using registry = await openRegistry({ url: database.url });
  await change(registry.operator, 0);
  await using reader = await aReader(registry.operator);

  const before = heldBytes();
  for (let round = 1; round <= ROUNDS; round++) await change(registry.operator, round);
  // All that came meanwhile has some 75 MiB. Buffers that are let go of are given back a while later.
  await vi.waitFor(() => expect(heldBytes() - before).toBeLessThan(16 * MIB));

  const latest = new Map<string, string>();
  let heard = 0;
  const isLast = (text: string) => text.startsWith(`${ROUNDS} `);
  while (latest.size < AGENTS || ![...latest.values()].every(isLast)) {
    const { event } = await reader.next();
    if (event.case !== "agent") continue;
    heard++;
    latest.set(event.value.agentId, event.value.profile?.description ?? "");
  }
  expect(heard).toBeLessThan((AGENTS * ROUNDS) / 4);
});

test("a watcher that does not read misses nobody, when more agents are heard of than are named", async () => {
  const many = 7 * AGENTS;
  await using database = await aDatabase();
  const now = () => new Date();
  const availability = createMemoryAvailability({ now });
  await using registry = await openRegistry({ url: database.url, availability });
  for (let from = 0; from < many; from += AGENTS) await change(registry.operator, 0, from);
  await using reader = await aReader(registry.operator);
  const beatAll = async (inFlight: number) => {
    const told = Promise.withResolvers<void>();
    const unsubscribe = availability.subscribe(() => told.resolve());
    for (let nth = 0; nth < many; nth++) {
      const agentId = `agent-${nth}`;
      const reported = { inFlight };
      await availability.beat({ agentId, now: now(), reported, leaseExpireAt: undefined });
    }
    await told.promise;
    unsubscribe();
  };

  for (let round = 1; round <= 3; round++) await beatAll(round);

  const latest = new Map<string, number>();
  const current = new Set<string>();
  const goneBack: string[] = [];
  while (current.size < many) {
    const { event } = await reader.next();
    if (event.case !== "agent") continue;
    const { agentId, availability: is } = event.value;
    if ((is?.inFlight ?? 0) < (latest.get(agentId) ?? 0)) goneBack.push(agentId);
    latest.set(agentId, is?.inFlight ?? 0);
    if (is?.inFlight === 3) current.add(agentId);
  }
  expect(goneBack).toEqual([]);
});
