import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createSigner, generateKeys } from "@bourse/access";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ANONYMOUS, bind, client, dial, serve } from "@bourse/rpc";
import type { Client } from "@connectrpc/connect";
import type { Registry } from "./discovery.ts";

/** Discoveries in processes of their own, which follow one registry and share one Redis. */
export interface Replicas extends AsyncDisposable {
  readonly calls: readonly Client<typeof DiscoveryService>[];
}

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Starts so many replicas and waits until each has the registry's agents. */
export async function startReplicas(
  count: number,
  facts: { readonly registry: Registry; readonly redisUrl: string },
): Promise<Replicas> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "bourse-replicas-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const { keyFile, jwksFile } = await generateKeys(folder);
  const registry = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.registry",
    bindings: [bind(RegistryService, facts.registry.impl as never)],
    codes: {},
    guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
    drainMs: 200,
  });
  started.defer(() => registry.drain());
  const env = {
    BOURSE_LISTEN: "127.0.0.1:0",
    BOURSE_REGISTRY_ADDRESS: registry.address,
    BOURSE_JWKS_FILE: jwksFile,
    BOURSE_KEY_FILE: keyFile,
    REDIS_URL: facts.redisUrl,
  };
  const signer = await createSigner({ keyFile });
  const calls = await Promise.all(
    Array.from({ length: count }, async () => {
      const child = spawn(process.execPath, [MAIN], {
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "inherit"],
      });
      started.defer(() => kill(child));
      const address = await addressOf(child);
      const channel = dial({ address, token: () => signer.mint("operator", 3_600) });
      started.defer(() => channel.close());
      return client(DiscoveryService, channel);
    }),
  );
  const stack = started.move();
  return { calls, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Where a discovery serves, once its first snapshot is complete. */
async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("no output");
  let address: string | undefined;
  let ready = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { event?: string; address?: string };
    address = told.event === "started" ? told.address : address;
    ready ||= told.event === "roster_ready";
    if (address === undefined || !ready) continue;
    child.stdout.resume();
    return address;
  }
  throw new Error("discovery ended before it served");
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
