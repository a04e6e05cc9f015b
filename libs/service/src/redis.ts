import { setTimeout as pause } from "node:timers/promises";
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";

/** A connection to one Redis or to a cluster. */
export type RedisClient = Redis | Cluster;

/** Answers are of the shapes that ioredis gives them by default. */
type Options = Omit<RedisOptions, "replyMapping">;

/** How a service speaks to Redis. */
export interface RedisSettings {
  /** A command without an answer after so many milliseconds has failed. */
  readonly commandMs: number;
  /** Lua scripts by the names of their commands. */
  readonly scripts?: NonNullable<ClusterOptions["scripts"]>;
  /** What a connection to one Redis, which is no cluster, has besides. */
  readonly single?: Options;
  /** Is told of each connection that fails; of a node of a cluster once, until it is there again. */
  readonly onFault?: (error: unknown) => void;
}

/** So long a service that starts waits for Redis. */
const START_MS = 2_000;
/** Who answers nothing for so long is gone: what is sent is not even refused when a machine is cut off. */
const SILENCE_MS = 2_000;
/** How often a cluster is asked who serves what: who was promoted in the place of a silent node tells nobody. */
const REFRESH_MS = 1_000;
/** So long an answer to that is waited for, before another node is asked. */
const REFRESH_TIMEOUT_MS = 500;
const RECONNECT_MS_MAX = 1_000;
/** After so many attempts, some five seconds, a node is looked for anew: it may have another address. */
const RECONNECTS_MAX = 10;
/** A node of which no other knows the address is named ":0"; ioredis would ask the Redis on the default port. */
const NOWHERE = { host: "127.0.0.1", port: 1 };
/** A command goes from node to node so often; MOVED and ASK follow each other, and keys of a slot that moves wait. */
const REDIRECTIONS_MAX = 6;
const TRY_AGAIN_MS = 20;

/**
 * Connects to `redis://host:port`, or to a cluster when several URLs stand there, separated by commas: some of its
 * nodes, which name the others. User, password and TLS of a cluster are those of the first URL. Resolves when it is
 * connected, or a moment later: it goes on trying by itself. While a node of a cluster is away its commands fail at
 * once, those of the others go on.
 */
export async function connectRedis(url: string, settings: RedisSettings): Promise<RedisClient> {
  const { commandMs, scripts = {}, single = {}, onFault = () => {} } = settings;
  const options: Options = {
    lazyConnect: true,
    commandTimeout: commandMs,
    connectTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    maxRetriesPerRequest: 0,
  };
  const urls = url.split(",");
  const [first = url] = urls;
  const client =
    urls.length === 1
      ? new Redis(url, { ...options, ...single, scripts })
      : new Cluster(urls, {
          ...CLUSTER,
          redisOptions: { ...options, ...admission(first) },
          scripts,
        });
  // Without a listener the event would be printed.
  client.on("error", onFault);
  if (client instanceof Cluster) followNodes(client, onFault);
  // A cluster that is not whole yet leaves the promise of the first attempt open for ever.
  const connected = new Promise((resolve) => client.once("ready", resolve));
  const failed = client.connect().catch(() => {});
  await Promise.race([
    client instanceof Cluster ? connected : failed,
    pause(START_MS, undefined, { ref: false }),
  ]);
  if (client instanceof Cluster) await Promise.allSettled(client.nodes().map((one) => one.ping()));
  return client;
}

/**
 * Commands are not gathered in pipelines: of one that went to several hash slots, of which one has moved, ioredis
 * follows none. Nor are they queued: who asks has a deadline.
 */
const CLUSTER: ClusterOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRedirections: REDIRECTIONS_MAX,
  retryDelayOnTryAgain: TRY_AGAIN_MS,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  slotsRefreshInterval: REFRESH_MS,
  slotsRefreshTimeout: REFRESH_TIMEOUT_MS,
  clusterRetryStrategy: reconnectMs,
  natMap: (node) => (node.startsWith(":") ? NOWHERE : null),
  clusterNodeRetryStrategy: (times) => (times > RECONNECTS_MAX ? null : reconnectMs(times)),
};

function reconnectMs(times: number): number {
  return Math.min(times * 100, RECONNECT_MS_MAX);
}

/** What every node asks for: they name each other by their addresses alone. */
function admission(url: string): Options {
  const { protocol, username, password } = new URL(url);
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}

/** Connects to nodes before they are needed, and tells of those that are lost. */
function followNodes(cluster: Cluster, onFault: (error: unknown) => void): void {
  const lost = new Set<string>();
  cluster.on("node error", (cause: unknown, name: string) => {
    if (lost.has(name)) return;
    lost.add(name);
    onFault(new Error(`the node ${name} of the Redis Cluster is away`, { cause }));
  });
  cluster.on("+node", (node: Redis) => {
    node.on("ready", () => lost.delete(`${node.options.host}:${node.options.port}`));
    // Later: the command that found it goes first, and waits for the connection. So does the check of a new cluster.
    setImmediate(() => {
      if (cluster.status === "ready" && node.status === "wait") node.connect().catch(() => {});
    });
  });
}
