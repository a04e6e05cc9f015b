import { rm } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "@bourse/rpc/free-ports";
import { ask, type Server, startServer, type TestRedis, until } from "./redis-server.ts";

/** A node of a cluster. */
export interface TestRedisNode {
  readonly url: string;
  /** Kills it, as kill -9 does. */
  kill(): Promise<void>;
  /** Writes what it holds to its disk: with that it comes back. */
  save(): Promise<void>;
  /**
   * Starts it again on the same port, in the same place of the cluster, with what it has saved or else empty, and
   * waits until it serves.
   */
  restart(): Promise<void>;
  /** Lets it neither read nor answer, as a machine that is cut off; its connections stay. */
  freeze(): void;
  thaw(): void;
}

/** A Redis Cluster. */
export interface TestRedisCluster extends TestRedis {
  /** Masters, in the order of their hash slots, then the replica of the first if there is one. */
  readonly nodes: readonly TestRedisNode[];
  /** Which of the nodes has the hash slot of a key, as node `asked` sees it. */
  ownerOf(key: string, asked?: number): Promise<number>;
  /**
   * Moves the hash slot of a key to another node, key by key. Calls `amid` when one half of its keys has moved, which
   * is when commands are answered with ASK and TRYAGAIN, and goes on when that resolves.
   */
  moveSlot(key: string, to: number, amid?: () => Promise<void>): Promise<void>;
}

/** All slots of a cluster. */
const SLOTS = 16_384;

/** Kept short, since a cluster waits so long until it takes a node for dead. */
const NODE_TIMEOUT_MS = 2_000;

/**
 * Starts a Redis Cluster of masters that go on serving while one of them is away; takes about two seconds, which a new
 * master waits.
 */
export async function startRedisCluster({
  masters = 3,
  hasReplica = false,
} = {}): Promise<TestRedisCluster> {
  await using stack = new AsyncDisposableStack();
  const count = masters + (hasReplica ? 1 : 0);
  const ports = await freePorts(count * 2);
  const [clients, buses] = [ports.slice(0, count), ports.slice(count)];
  const servers = await Promise.all(
    clients.map(async (port, nth) => {
      const options = [...CLUSTER_OPTIONS, "--cluster-port", String(buses[nth])];
      return stack.use(await startServer(port, options));
    }),
  );
  const share = Math.ceil(SLOTS / masters);
  for (const [nth, port] of clients.entries()) {
    const last = Math.min(SLOTS, share * (nth + 1)) - 1;
    if (nth < masters) await ask(port, `CLUSTER ADDSLOTSRANGE ${share * nth} ${last}`);
    await ask(port, `CLUSTER SET-CONFIG-EPOCH ${nth + 1}`);
    if (nth > 0) await ask(clients[0] as number, `CLUSTER MEET 127.0.0.1 ${port} ${buses[nth]}`);
  }
  await Promise.all(clients.map((port) => whole(port, count)));
  if (hasReplica) await replicate(clients[masters] as number, clients[0] as number);
  const started = stack.move();
  return {
    url: clients.map((port) => `redis://127.0.0.1:${port}`).join(","),
    nodes: servers.map((server) => nodeOf(server, count)),
    ownerOf: (key, asked = 0) => ownerOf(clients, key, asked),
    moveSlot: (key, to, amid) => moveSlot(clients, key, to, amid),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

const CLUSTER_OPTIONS = [
  ...["--cluster-enabled", "yes", "--cluster-node-timeout", String(NODE_TIMEOUT_MS)],
  // Else the death of one node takes down all.
  ...["--cluster-require-full-coverage", "no"],
];

function nodeOf(server: Server, count: number): TestRedisNode {
  let isSaved = false;
  return {
    url: `redis://127.0.0.1:${server.port}`,
    kill: server.kill,
    async save() {
      await ask(server.port, "SAVE");
      isSaved = true;
    },
    async restart() {
      if (!isSaved) await rm(join(server.folder, "dump.rdb"), { force: true });
      isSaved = false;
      await server.start();
      await whole(server.port, count);
    },
    freeze: () => server.signal("SIGSTOP"),
    thaw: () => server.signal("SIGCONT"),
  };
}

/** Waits until a node serves and knows all others. */
function whole(port: number, count: number): Promise<void> {
  const facts = ["cluster_state:ok", `cluster_slots_assigned:${SLOTS}`, `known_nodes:${count}`];
  return until(port, "CLUSTER INFO", (info) => facts.every((fact) => info.includes(`${fact}\r`)));
}

async function replicate(replica: number, master: number): Promise<void> {
  await ask(replica, `CLUSTER REPLICATE ${await idOf(master)}`);
  await until(replica, "INFO replication", (info) => info.includes("master_link_status:up"));
}

async function idOf(port: number): Promise<string> {
  return textsOf(await ask(port, "CLUSTER MYID"))[0] ?? "";
}

async function slotOf(port: number, key: string): Promise<number> {
  return Number((await ask(port, `CLUSTER KEYSLOT ${key}`)).slice(1).split("\r\n")[0]);
}

async function ownerOf(ports: readonly number[], key: string, asked: number): Promise<number> {
  const slot = await slotOf(ports[asked] as number, key);
  const nodes = await ask(ports[asked] as number, "CLUSTER NODES");
  const owner = nodes.split("\n").find((line) =>
    line
      .trim()
      .split(" ")
      .slice(8)
      .some((range) => {
        const [first = -1, last = first] = range.split("-").map(Number);
        return slot >= first && slot <= last;
      }),
  );
  return ports.findIndex((port) => owner?.includes(`:${port}@`) === true);
}

async function moveSlot(
  ports: readonly number[],
  key: string,
  toNode: number,
  amid?: () => Promise<void>,
): Promise<void> {
  const from = ports[await ownerOf(ports, key, toNode)] as number;
  const to = ports[toNode] as number;
  const slot = await slotOf(to, key);
  const [fromId, toId] = [await idOf(from), await idOf(to)];
  await ask(to, `CLUSTER SETSLOT ${slot} IMPORTING ${fromId}`);
  await ask(from, `CLUSTER SETSLOT ${slot} MIGRATING ${toId}`);
  const keysLeft = async (most: number) =>
    textsOf(await ask(from, `CLUSTER GETKEYSINSLOT ${slot} ${most}`));
  const half = Math.floor((await keysLeft(MANY)).length / 2);
  await migrate(from, to, await keysLeft(half));
  await amid?.();
  // Keys may still come.
  for (let keys = await keysLeft(MANY); keys.length > 0; keys = await keysLeft(MANY)) {
    await migrate(from, to, keys);
  }
  for (const port of [to, from, ...ports.filter((other) => other !== to && other !== from)]) {
    await ask(port, `CLUSTER SETSLOT ${slot} NODE ${toId}`).catch(() => {});
  }
}

const MANY = 100_000;

async function migrate(from: number, to: number, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await ask(from, `MIGRATE 127.0.0.1 ${to} "" 0 10000 KEYS ${keys.join(" ")}`);
}

/** The texts of an answer. */
function textsOf(answer: string): readonly string[] {
  return [...answer.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, text = ""]) => text);
}
