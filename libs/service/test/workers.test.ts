import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys, type KeyFiles } from "@bourse/access";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type ServiceProcess, startProcess } from "./process.ts";

// Each test starts three processes or four, one after the other.
vi.setConfig({ testTimeout: 90_000 });

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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
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

  test("are measured as one", async () => {
    await using taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    taken.close();
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
