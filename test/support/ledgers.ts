import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSigner, generateKeys } from "@bourse/access";
import { choosePorts, SERVICE_NAMES } from "@bourse/cli/market";
import { type Connection, connect } from "@bourse/client";
import { removeEmbedded, startEmbedded } from "@bourse/postgres/embedded";
import { type Kept, keepRunning, type Running } from "./kept.ts";
import { persist } from "./persistence.ts";

/** Ledger processes on one durable Postgres, each of which may be killed at any time. */
export interface TestLedgers extends AsyncDisposable {
  /** To each process, as the operator. */
  readonly connections: readonly Connection[];
  /** The ledger processes, and Postgres last. */
  readonly victims: readonly Kept[];
}

const MAIN = fileURLToPath(new URL("../../services/ledger/src/main.ts", import.meta.url));

/** Starts so many ledgers, four at most, in a folder of their own and waits until they answer. */
export async function startLedgers(count: number): Promise<TestLedgers> {
  await using started = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), "bourse-ledgers-"));
  started.defer(() => rm(data, { recursive: true, force: true }));
  const dataDirectory = join(data, "postgres");
  started.defer(() => removeEmbedded(dataDirectory));
  const first = await startEmbedded({ dataDirectory });
  const { port, url } = first;
  let again: typeof first | undefined = first;
  const postgres = started.use(
    await keepRunning(async () => {
      const server = again ?? (await startEmbedded({ dataDirectory, port }));
      again = undefined;
      return server;
    }),
  );
  const { keyFile, jwksFile } = await generateKeys(join(data, "keys"));
  const ports = await choosePorts("auto");
  const addresses = SERVICE_NAMES.slice(0, count).map((name) => `127.0.0.1:${ports[name].rpc}`);
  const ledgers = await Promise.all(
    addresses.map(async (address, nth) => {
      const env = { DATABASE_URL: url, BOURSE_JWKS_FILE: jwksFile, BOURSE_LISTEN: address };
      return started.use(await keepRunning(() => startLedger(join(data, `${nth}.log`), env)));
    }),
  );
  const signer = await createSigner({ keyFile });
  const connections = addresses.map((ledger) =>
    started.use(connect({ addresses: { ledger }, token: () => signer.mint("operator", 3_600) })),
  );
  await Promise.all(
    connections.map(({ ledger }) => persist(() => ledger.getBalances({ owner: "nobody" }))),
  );
  const stack = started.move();
  return {
    connections,
    victims: [...ledgers, postgres],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startLedger(log: string, env: Readonly<Record<string, string>>): Promise<Running> {
  await using file = await open(log, "a");
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, ["--enable-source-maps", MAIN], {
    env: { PATH, BOURSE_LOG: "json", ...env },
    stdio: ["ignore", file.fd, file.fd],
  });
  const exited = once(child, "exit");
  return {
    pid: child.pid ?? 0,
    exited,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
