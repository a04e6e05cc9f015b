import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys, type KeyFiles } from "@bourse/access";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { client, dial, reasonOf } from "@bourse/rpc";
import { freePort } from "@bourse/rpc/free-ports";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ServiceProcess, startProcess } from "./process.ts";

// Enough that each of two workers would have its share.
const CALLS = 6;

let directory: string;
let keys: KeyFiles;
let token: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bourse-workers-"));
  keys = await generateKeys(directory);
  token = await (await createSigner({ keyFile: keys.keyFile })).mint("operator", 600);
});
afterAll(() => rm(directory, { recursive: true }));

function started(env: Readonly<Record<string, string>> = {}): ServiceProcess {
  return startProcess({
    BOURSE_LISTEN: "127.0.0.1:0",
    BOURSE_JWKS_FILE: keys.jwksFile,
    BOURSE_KEY_FILE: keys.keyFile,
    BOURSE_DRAIN_MS: "5000",
    WORKERS: "2",
    ...env,
  });
}

/** The process that answers a call over a connection of its own. */
async function answering(address: string): Promise<number> {
  await using channel = dial({ address, token: () => token });
  let pid = 0;
  await client(DiscoveryService, channel).summarizeCapabilities(
    {},
    {
      headers: { "x-act": "pid" },
      onHeader: (headers) => {
        pid = Number(headers.get("x-pid"));
      },
    },
  );
  return pid;
}

/** The processes that answer, as soon as there are two that are not `gone`. */
async function both(address: string, gone = 0): Promise<readonly number[]> {
  const seen = new Set<number>();
  await expect
    .poll(async () => {
      const pid = await answering(address).catch(() => gone);
      if (pid !== gone) seen.add(pid);
      return seen.size;
    })
    .toBe(2);
  return [...seen];
}

/** Calls over a connection each, until it has enough; who answered, or the reason of the refusal. */
async function answersUntil(
  address: string,
  isEnough: (answers: readonly (number | string)[]) => boolean,
): Promise<Set<number | string>> {
  const answers: (number | string)[] = [];
  while (!isEnough(answers)) {
    answers.push(await answering(address).catch((error) => reasonOf(error) ?? String(error)));
  }
  return new Set(answers);
}

/** The processes that were or are being built, as soon as there are so many. */
async function builders(service: ServiceProcess, count: number): Promise<readonly number[]> {
  await expect.poll(() => buildersOf(service)).toHaveLength(count);
  return buildersOf(service);
}

function buildersOf({ lines }: ServiceProcess): readonly number[] {
  return lines.filter((line) => line["msg"] === "building").map((line) => Number(line["pid"]));
}

async function health(address: string): Promise<Status> {
  await using channel = dial({ address });
  return (await client(Health, channel).check({})).status;
}

/** Lets a process that is being built with BUILD=held go on. */
function release(pid: number): void {
  process.kill(pid, "SIGUSR2");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A connection, and how it went: the server begins to speak, or it ends without a word. */
function aCaller(address: string) {
  const [host, port] = address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port) });
  // A client's preface and its empty settings: HTTP/2 begins with them.
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  let ended: "heard" | "closed" | undefined;
  socket.once("data", () => {
    ended ??= "heard";
  });
  socket.once("close", () => {
    ended ??= "closed";
  });
  socket.on("error", () => {});
  return { socket, ended: () => ended };
}

describe("workers", () => {
  test("share one port, and one that dies is started again", async () => {
    await using service = started();
    const address = await service.address();
    const [first = 0] = await both(address);

    process.kill(first, "SIGKILL");

    expect(await both(address, first)).not.toContain(first);
    expect(await service.line("worker_died")).toMatchObject({ how: "SIGKILL" });
  });

  test("started again take no calls before they are ready, and their siblings go on", async () => {
    await using service = started({ EARLY: "yes", BUILD: "held" });
    const [first = 0, second = 0] = await builders(service, 2);
    release(first);
    release(second);
    const address = await service.address();
    await both(address);

    process.kill(first, "SIGKILL");
    await service.line("worker_died");
    const away = await answersUntil(address, () => buildersOf(service).length === 3);
    const third = buildersOf(service)[2] ?? 0;
    const built = await answersUntil(address, ({ length }) => length === CALLS);
    release(third);
    const back = await answersUntil(address, (answers) => answers.includes(third));

    expect([away, built, back]).toEqual([
      new Set([second]),
      new Set([second]),
      new Set([second, third]),
    ]);
  });

  test("answer that they are starting only while none of them is ready", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await using service = started({ BOURSE_LISTEN: address, EARLY: "yes", BUILD: "held" });
    const [first = 0, second = 0] = await builders(service, 2);

    expect(await health(address)).toBe(Status.NOT_SERVING);
    expect(await answering(address).catch(reasonOf)).toBe("STARTING");

    release(first);
    await service.line("started");
    // The other one may have been asked before it heard of it.
    await expect
      .poll(() => answersUntil(address, ({ length }) => length === CALLS))
      .toEqual(new Set([first]));

    process.kill(first, "SIGKILL");
    await service.line("worker_died");
    await expect.poll(() => health(address).catch(() => undefined)).toBe(Status.NOT_SERVING);
    expect(await answering(address).catch(reasonOf)).toBe("STARTING");

    release(second);
    await expect.poll(() => answering(address).catch(() => 0)).toBe(second);
  });

  test("that are killed leave no caller waiting: what they were handed and had not taken is closed", async () => {
    await using service = started();
    const address = await service.address();
    const [first = 0] = await both(address);
    // So it takes no more of what it is handed.
    process.kill(first, "SIGSTOP");
    const callers = Array.from({ length: CALLS }, () => aCaller(address));
    await expect
      .poll(() => callers.filter(({ ended }) => ended() === "heard"))
      .toHaveLength(CALLS - 1);

    process.kill(first, "SIGKILL");

    await expect.poll(() => callers.filter(({ ended }) => ended() === undefined)).toEqual([]);
    for (const { socket } of callers) socket.destroy();
  });

  test("that are killed again and again leave no caller without an answer or a refusal", async () => {
    await using service = started();
    const address = await service.address();
    const ends: (number | string)[] = [];
    let calling = true;
    const callers = Array.from({ length: CALLS }, async () => {
      while (calling) {
        ends.push(await answering(address).catch((error) => ConnectError.from(error).code));
      }
    });

    for (let kills = 0; kills < 4; kills += 1) {
      const [pid = 0] = await both(address);
      process.kill(pid, "SIGKILL");
      await expect.poll(() => isAlive(pid)).toBe(false);
    }
    calling = false;
    await Promise.all(callers);

    expect(new Set(ends)).not.toContain(Code.DeadlineExceeded);
  });

  test("are measured as one", async () => {
    const port = await freePort();
    await using service = started({ BOURSE_METRICS_LISTEN: `127.0.0.1:${port}` });
    const address = await service.address();
    await both(address);
    const handled = async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/grpc_server_handled_total\{[^}]*grpc_code="ok"[^}]*\} (\d+)/.exec(text)?.[1]);
    };

    const before = await handled();
    for (let call = 0; call < 6; call += 1) await answering(address);

    expect(await handled()).toBe(before + 6);
  });

  test("end together when they are told to", async () => {
    await using service = started();
    const pids = await both(await service.address());

    service.signal("SIGTERM");

    expect(await service.exitCode()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("do not outlive the process that looks after them", async () => {
    await using service = started();
    const pids = await both(await service.address());

    service.signal("SIGKILL");

    await expect.poll(() => pids.filter(isAlive)).toEqual([]);
  });

  test("that cannot start are a failed start", async () => {
    await using taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;

    await using service = started({ BOURSE_LISTEN: `127.0.0.1:${port}` });

    expect(await service.exitCode()).toBe(1);
    expect(JSON.stringify(service.lines)).toContain("the port is taken");
  });
});
