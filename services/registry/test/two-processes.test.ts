import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys } from "@bourse/access";
import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { client, dial, resumed } from "@bourse/rpc";
import { startProcess } from "@bourse/service/testing";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { aDatabase, anId, aProfile, type Registry } from "./registry.ts";

const REDIS_URL = process.env["REDIS_URL"] ?? "";
const MAIN = new URL("../src/main.ts", import.meta.url);
const AGENTS = 12;
const TURNS = 25;
/** So many writes are done when one of the replicas is killed. */
const KILLED_AFTER = (AGENTS * TURNS) / 3;

/** Two registries in processes of their own, over one Postgres and one Redis. */
async function startReplicas() {
  await using started = new AsyncDisposableStack();
  const database = started.use(await aDatabase());
  const folder = await mkdtemp(join(tmpdir(), "registry-replicas-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const { keyFile, jwksFile } = await generateKeys(folder);
  const signer = await createSigner({ keyFile });
  const env = {
    BOURSE_LISTEN: "127.0.0.1:0",
    BOURSE_JWKS_FILE: jwksFile,
    DATABASE_URL: database.url,
    REDIS_URL,
  };
  const start = async () => {
    const replica = started.use(
      await startProcess(MAIN, env, ({ event, address }) =>
        event === "started" ? String(address) : undefined,
      ),
    );
    const token = () => signer.mint("operator", 3_600);
    const channel = dial({ address: replica.told, token });
    started.defer(() => channel.close());
    return { calls: client(RegistryService, channel), kill: replica.kill };
  };
  const [one, two] = [await start(), await start()];
  const stack = started.move();
  return { one, two, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Does what the first of these can do, or else the next: what a replica that died has done or not is done once. */
async function persist(
  replicas: readonly Registry[],
  call: (registry: Registry) => Promise<unknown>,
): Promise<void> {
  for (const registry of replicas) {
    const error = await call(registry).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) return;
    if (!(error instanceof ConnectError) || error.code !== Code.Unavailable) throw error;
  }
  throw new Error("nobody is there");
}

/** Follows the agents at the first replica, and at the other once that is gone. */
function aReader(replicas: readonly Registry[]) {
  const stopping = new AbortController();
  const seen: Agent[] = [];
  const begun: { readonly full: boolean }[] = [];
  const messages = resumed(
    {
      open: (resumeToken, signal) =>
        (replicas[Math.min(begun.length, 2) - 1] as Registry).watchAgents(
          { resumeToken },
          { signal },
        ),
      isSnapshot: ({ event }) => event.case !== "synced",
      pauseMs: () => 10,
      onBegin: (stream) => begun.push(stream),
    },
    stopping.signal,
  );
  const over = (async () => {
    for await (const { event } of messages) if (event.case === "agent") seen.push(event.value);
  })();
  return {
    seen,
    begun,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await over;
    },
  };
}

/** What was told of an agent, in the order in which it was. */
function told(seen: readonly Agent[], agentId: string, of: (agent: Agent) => number): number[] {
  return seen.filter((agent) => agent.agentId === agentId).map(of);
}

test.skipIf(REDIS_URL === "")(
  "a reader whose replica is killed amid writes through both goes on at the other and misses nothing",
  async () => {
    await using market = await startReplicas();
    const replicas = [market.one.calls, market.two.calls];
    const ids = Array.from({ length: AGENTS }, () => anId());
    const profile = aProfile({ maxConcurrent: 1_000 });
    await market.two.calls.batchRegisterAgents({
      requests: ids.map((agentId) => ({ agentId, profile, lease: { seconds: 600n } })),
    });
    await using reader = aReader(replicas);
    await vi.waitFor(() => expect(reader.seen).toHaveLength(AGENTS));

    let written = 0;
    let killed: Promise<void> | undefined;
    await Promise.all(
      ids.map(async (agentId, nth) => {
        for (let turn = 1; turn <= TURNS; turn++) {
          // Each agent's changes follow each other, through one replica and the other.
          const order = (nth + turn) % 2 === 0 ? replicas : [...replicas].reverse();
          const description = String(turn);
          const requestId = `${agentId}-${turn}`;
          await persist(order, (to) => to.heartbeat({ agentId, inFlight: turn }));
          await persist(order, (to) =>
            to.updateAgent({
              ...{ agentId, requestId, profile: { description } },
              updateMask: { paths: ["description"] },
            }),
          );
          written += 1;
          if (written === KILLED_AFTER) killed = market.one.kill();
          // What some have last written falls into the time in which nobody reads.
          if (nth % 3 === 1 && killed !== undefined) break;
        }
        if (nth % 3 === 0) await market.two.calls.unregisterAgent({ agentId });
      }),
    );
    await killed;

    expect(written).toBeGreaterThan(KILLED_AFTER);
    const { agents } = await market.two.calls.batchGetAgents({ agentIds: ids });
    const registered = ids.filter((_, nth) => nth % 3 !== 0);
    expect(agents.map(({ agentId }) => agentId)).toEqual(registered);
    const last = (agentId: string) => reader.seen.findLast((agent) => agent.agentId === agentId);
    await vi.waitFor(() => {
      for (const agent of agents) {
        expect(last(agent.agentId)).toMatchObject({
          etag: agent.etag,
          profile: { description: agent.profile?.description },
          availability: { inFlight: agent.availability?.inFlight },
        });
      }
      const gone = ids.filter((agentId) => !registered.includes(agentId));
      for (const agentId of gone) expect(last(agentId)?.unregisterTime).toBeDefined();
    });
    expect(reader.begun.length).toBeGreaterThan(1);
    expect(reader.begun.slice(1).every(({ full }) => !full)).toBe(true);
    for (const agentId of ids) {
      const versions = told(reader.seen, agentId, ({ etag }) => Number(etag));
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    }
    for (const agentId of registered) {
      const turns = told(reader.seen, agentId, (agent) => agent.availability?.inFlight ?? 0);
      expect(turns).toEqual(turns.toSorted((a, b) => a - b));
    }
  },
);
