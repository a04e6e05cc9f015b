import { randomUUIDv7 } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuard, createSigner, generateKeys } from "@bourse/access";
import { createPool } from "@bourse/postgres";
import { testDatabase } from "@bourse/postgres/testing";
import {
  AuctionService,
  type SubmitBidRequestSchema,
} from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import {
  AwardPolicy,
  type Task,
  type TaskSpecSchema,
  TaskState,
  TaskStateSchema,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { client, dial, serve } from "@bourse/rpc";
import { createLogger, createMetrics } from "@bourse/telemetry";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { openMarket } from "../../src/market.ts";
import { CODES } from "../../src/rejections.ts";
import { MINUTE, startClock } from "./clock.ts";
import { startLedger } from "./ledger.ts";
import { startRegistry } from "./registry.ts";

/** One running auction service, called over a socket. */
export type Instance = Awaited<ReturnType<typeof startInstance>>;
/** A caller's client. */
export type Caller = Awaited<ReturnType<Instance["as"]>>;
/** A database, a clock and peers, on which instances of the service come and go. */
export type World = Awaited<ReturnType<typeof openWorld>>;

const keys = mkdtemp(join(tmpdir(), "bourse-auction-")).then(generateKeys);

/** Opens a world of one's own, with one instance running. */
export async function openWorld() {
  const stack = new AsyncDisposableStack();
  const database = stack.use(
    await testDatabase({
      schema: "auction",
      directory: new URL("../../migrations/", import.meta.url),
      max: 2,
    }),
  );
  const clock = startClock();
  const ledger = startLedger();
  const registry = startRegistry();
  const start = async (facts: InstanceFacts = {}) =>
    stack.use(await startInstance({ url: database.url, clock, ledger, registry, ...facts }));
  return {
    pool: database.pool,
    clock,
    ledger,
    registry,
    /** Starts an instance; it ends with the world at the latest. */
    start,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface InstanceFacts {
  /** Stands between this instance and the ledger. */
  readonly ledger?: ReturnType<typeof startLedger>;
}

async function startInstance(world: {
  readonly url: string;
  readonly clock: ReturnType<typeof startClock>;
  readonly ledger: ReturnType<typeof startLedger>;
  readonly registry: ReturnType<typeof startRegistry>;
}) {
  await using started = new AsyncDisposableStack();
  const pool = createPool(world.url, { schema: "auction", max: 12 });
  started.defer(() => pool.end());
  const metrics = createMetrics({ service: "auction" });
  const lines: string[] = [];
  const sink = { write: (text: string) => void lines.push(text) };
  const market = started.use(
    openMarket({
      pool,
      peers: {
        ledger: world.ledger.ledger,
        lineage: world.ledger.lineage,
        registry: world.registry.registry,
      },
      roster: world.registry.roster,
      logger: createLogger({ service: "auction", sink }),
      metrics,
      now: world.clock.now,
      newId: randomUUIDv7,
      pollMs: 20,
      idleMs: 100,
    }),
  );
  const { keyFile, jwksFile } = await keys;
  const server = started.use(
    await serve({
      listen: "127.0.0.1:0",
      domain: "bourse.auction",
      bindings: [market.binding],
      codes: CODES,
      guard: createGuard({ jwksFile }),
      drainMs: 400,
    }),
  );
  const signer = await createSigner({ keyFile });
  const stack = started.move();
  return {
    metrics,
    log: () =>
      lines
        .join("")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    /** Calls as `agent:<id>`, `operator`, `auditor` or `service:<name>`. */
    async as(principal: string) {
      const token = await signer.mint(principal, 3_600);
      const channel = stack.use(dial({ address: server.address, token: () => token }));
      return client(AuctionService, channel);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A task that passes every rule, awarded by hand within an hour; say only what matters. */
export function aSpec(
  wish: Partial<Plain<typeof TaskSpecSchema>> & {
    readonly needs?: Partial<Exclude<Plain<typeof TaskSpecSchema>["requirements"], undefined>>;
  } = {},
): Plain<typeof TaskSpecSchema> {
  const { needs, ...rest } = wish;
  return {
    taskType: "iso_construction",
    requirements: {
      capabilities: ["iso_construction"],
      maxLatency: durationFromMs(30 * MINUTE),
      minSuccessRate: 0.95,
      maxCost: eur(2_500_000n),
      ...(needs as object),
    },
    biddingWindow: durationFromMs(60 * MINUTE),
    reviewWindow: durationFromMs(60 * MINUTE),
    awardPolicy: AwardPolicy.MANUAL,
    ...rest,
  };
}

/** Terms that `aSpec` takes; say only what matters. */
export function terms(wish: Partial<Terms> = {}): Terms {
  return {
    price: eur(2_300_000n),
    latency: durationFromMs(25 * MINUTE),
    successRate: 0.98,
    ...wish,
  };
}

type Plain<S extends Parameters<typeof Object>[0]> = Exclude<
  MessageInitShape<S & typeof TaskSpecSchema>,
  { readonly $typeName: string }
>;
type Terms = Exclude<
  NonNullable<
    Exclude<
      MessageInitShape<typeof SubmitBidRequestSchema>,
      { readonly $typeName: string }
    >["terms"]
  >,
  { readonly $typeName: string }
>;

/** An amount of euros. */
export function eur(micros: bigint) {
  return { micros, currencyCode: "EUR" };
}

/** A posted task with bids, of `buyer`, who has 100 euros; the agents are registered. */
export async function postWithBids(
  world: World,
  instance: Instance,
  bids: Readonly<Record<string, Partial<Terms>>>,
  wish: Parameters<typeof aSpec>[0] = {},
) {
  world.ledger.fund("buyer", 100_000_000n);
  const buyer = await instance.as("agent:buyer");
  const posted = await buyer.postTask({ requester: "buyer", spec: aSpec(wish) });
  const task = posted.task as Task;
  const agents: Record<string, Caller> = {};
  for (const [agentId, each] of Object.entries(bids)) {
    world.registry.put(agentId);
    const agent = await instance.as(`agent:${agentId}`);
    agents[agentId] = agent;
    await agent.submitBid({ taskId: task.taskId, agentId, terms: terms(each) });
  }
  return { buyer, task, taskId: task.taskId, agents };
}

/** The name of a task's state. */
export function stateOf(task: Pick<Task, "state"> | undefined): string | undefined {
  const name = TaskStateSchema.value[task?.state ?? TaskState.UNSPECIFIED]?.localName;
  return name;
}

/** Waits until a task is in a state, and answers with it. */
export async function until(caller: Caller, taskId: string, state: string): Promise<Task> {
  const look = async () => (await caller.getTask({ taskId })).task as Task;
  await expect.poll(async () => stateOf(await look()), { interval: 15 }).toBe(state);
  return look();
}

/** Waits until everything that follows has been told. */
export async function allTold(world: World): Promise<void> {
  const count = async () => {
    const { rows } = await world.pool.query("select kind, error from outbox order by position");
    return rows;
  };
  await expect.poll(count, { interval: 15 }).toEqual([]);
}
