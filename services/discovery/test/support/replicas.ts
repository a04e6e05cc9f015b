import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys } from "@bourse/access";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ANONYMOUS, bind, client, dial, serve } from "@bourse/rpc";
import { startProcess } from "@bourse/service/testing";
import type { Client } from "@connectrpc/connect";
import type { Registry } from "./discovery.ts";

/** Discoveries in processes of their own, which follow one registry and share one Redis. */
export interface Replicas extends AsyncDisposable {
  readonly calls: readonly Client<typeof DiscoveryService>[];
}

const MAIN = new URL("../../src/main.ts", import.meta.url);

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
      const { told: address } = started.use(await startProcess(MAIN, env, addressWhenReady()));
      const channel = dial({ address, token: () => signer.mint("operator", 3_600) });
      started.defer(() => channel.close());
      return client(DiscoveryService, channel);
    }),
  );
  const stack = started.move();
  return { calls, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Finds where a discovery serves, once its first snapshot is complete. */
function addressWhenReady() {
  let address: string | undefined;
  let isReady = false;
  return (line: { readonly event?: unknown; readonly address?: unknown }) => {
    if (line.event === "started") address = String(line.address);
    isReady ||= line.event === "roster_ready";
    return isReady ? address : undefined;
  };
}
