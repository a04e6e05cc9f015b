import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { RegisterAgentRequestSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { freePort } from "@bourse/rpc/free-ports";
import { create, toBinary } from "@bufbuild/protobuf";
import { BenchFailure } from "../failure.ts";
import { runLoad } from "../h2load.ts";
import { latenciesOf } from "../latencies.ts";
import { poll } from "../poll.ts";
import { type RawCaller, rawCaller } from "../raw-caller.ts";
import { countOf, putAll, rangeOf } from "./etcd-messages.ts";
import type { EtcdRow, Figures } from "./figures.ts";
import type { LoadParts } from "./loads.ts";
import { agentId, agentOf, registrationOf, skillName } from "./population.ts";

const KEYS_MAX = 100_000;
/** Of one transaction; etcd takes 128. */
const PARCEL = 100;
const RANGE = "/etcdserverpb.KV/Range";
const TXN = "/etcdserverpb.KV/Txn";
const START_LIMIT_MS = 30_000;

/**
 * What a team would otherwise ask: an etcd of one member, with a key for each agent below its first
 * capability, asked for one key, as somebody who knows the agent already, and for the first 20 keys of
 * a capability, by the same load as discovery. Undefined where there is no etcd.
 */
export async function measureEtcd(parts: LoadParts): Promise<Figures["etcd"]> {
  const { census, say, signal } = parts;
  const version = await etcdVersion();
  if (version === undefined) {
    say("no etcd on the PATH (Debian: apt-get install etcd-server), so it is not measured");
    return undefined;
  }
  await using stack = new AsyncDisposableStack();
  const address = await startEtcd(stack, signal);
  using caller = stack.use(rawCaller(address));
  const keys = Math.min(census.size, KEYS_MAX);
  say(`storing ${keys} keys in etcd`);
  for (let from = 0; from < keys; from += PARCEL) {
    signal.throwIfAborted();
    await caller.call(TXN, putAll(pairs(from, Math.min(keys, from + PARCEL))));
  }
  const rows: EtcdRow[] = [];
  for (const serializable of [false, true]) {
    const one = [0, 1, 2, 3].map((nth) => rangeOf({ key: keyOf(nth % keys), serializable }));
    const some = [0, 1, 4, 9].map((rank) => {
      return rangeOf({ prefix: `/agents/${skillName(rank)}/`, limit: 20, serializable });
    });
    const how = serializable ? "serializable" : "linearizable";
    rows.push(await measure(parts, { address, caller, subject: `one key, ${how}`, messages: one }));
    rows.push(
      await measure(parts, { address, caller, subject: `20 keys, ${how}`, messages: some }),
    );
  }
  return { version, keys, rows };
}

async function measure(
  { settings, signal, say }: LoadParts,
  of: {
    readonly address: string;
    readonly caller: RawCaller;
    readonly subject: string;
    readonly messages: readonly Uint8Array[];
  },
): Promise<EtcdRow> {
  const { address, caller, subject, messages } = of;
  const { connections, streams, seconds } = settings;
  say(`etcd, ${subject}, ${seconds} s`);
  for (const message of messages) {
    if (countOf(await caller.call(RANGE, message)) > 0) continue;
    throw new BenchFailure(`etcd finds nothing: ${subject}`);
  }
  const load = { address, path: RANGE, messages, connections, streams, seconds, signal };
  const { perSecond, tookMs } = await runLoad(load);
  return { subject, perSecond, ...latenciesOf(tookMs) };
}

function keyOf(nth: number): string {
  return `/agents/${skillName(agentOf(nth).skills[0] ?? 0)}/${agentId(nth)}`;
}

function pairs(from: number, to: number): { key: string; value: Uint8Array }[] {
  return Array.from({ length: to - from }, (_, nth) => {
    const registration = create(RegisterAgentRequestSchema, registrationOf(agentOf(from + nth)));
    const value = toBinary(RegisterAgentRequestSchema, registration);
    return { key: keyOf(from + nth), value };
  });
}

async function etcdVersion(): Promise<string | undefined> {
  try {
    return (await promisify(execFile)("etcd", ["--version"])).stdout.split("\n")[0];
  } catch {
    return undefined;
  }
}

async function startEtcd(stack: AsyncDisposableStack, signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-etcd-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const [port, peerPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const flags = [
    ...["--data-dir", join(folder, "data"), "--name", "bench"],
    ...["--listen-client-urls", url, "--advertise-client-urls", url],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", `bench=${peerUrl}`],
  ];
  const child = spawn("etcd", flags, { stdio: "ignore" });
  const exited = once(child, "exit");
  stack.defer(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  const isUp = async () => ((await isHealthy(url)) ? true : undefined);
  const up = await poll(isUp, { everyMs: 100, limitMs: START_LIMIT_MS, signal });
  if (up === undefined) throw new BenchFailure("etcd does not come up");
  return `127.0.0.1:${port}`;
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
