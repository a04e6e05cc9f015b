import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect, type ServiceName } from "@bourse/client";
import { removeEmbedded } from "@bourse/postgres/embedded";
import { expect, vi } from "vitest";
import { bourse, type Running, startBourseIn } from "./command.ts";

/** Somebody at a terminal, with a data folder of their own; what they started is gone when disposed. */
export interface Operator extends AsyncDisposable {
  readonly data: string;
  /** `bourse up`, with variables of the shell; resolves when it says that the market is up. */
  up(parameters?: readonly string[], shell?: Readonly<Record<string, string>>): Promise<Running>;
  /** `bourse status --json`. */
  status(): Promise<Status>;
  /** A connection as an agent, with a token of `bourse token`. */
  connectAs(agentId: string): Promise<Connection>;
  /** A connection as an operator, likewise. */
  connectAsOperator(): Promise<Connection>;
  /** The process id of the market's Postgres. */
  postgres(): Promise<number>;
}

/** As `bourse status --json` prints it. */
export interface Status {
  readonly pid: number;
  readonly services: readonly {
    readonly name: ServiceName;
    readonly health: string;
    readonly address: string;
    readonly pid: number;
  }[];
}

const UP_MS = 120_000;

/** Seats an operator. */
export async function anOperator(): Promise<Operator> {
  const data = await mkdtemp(join(tmpdir(), "bourse-operator-"));
  const started: Running[] = [];
  const status = async (): Promise<Status> => {
    const { exitCode, stdout, stderr } = await bourse("status", "--json", "--data", data);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return JSON.parse(stdout);
  };
  const written = () => readFile(join(data, "market.json"), "utf8").catch(() => undefined);
  const connectWith = async (...principal: string[]) => {
    const token = await bourse("token", ...principal, "--data", data);
    const { services }: Status = JSON.parse((await written()) ?? "{}");
    const addresses = Object.fromEntries(services.map(({ name, address }) => [name, address]));
    return connect({ addresses, token: token.stdout.trim() });
  };
  return {
    data,
    status,
    async up(parameters = [], shell = {}) {
      const running = startBourseIn(shell, "up", "--data", data, "--ports", "auto", ...parameters);
      started.push(running);
      const said = () => running.output() + running.errors();
      const options = { timeout: UP_MS, interval: 50 };
      await vi.waitFor(() => expect(said()).toContain("Bourse is up"), options);
      return running;
    },
    connectAs: (agentId) => connectWith("--agent", agentId),
    connectAsOperator: () => connectWith("--operator"),
    postgres: () => findPostgres(join(data, "postgres")),
    async [Symbol.asyncDispose]() {
      // After an orderly stop there is nothing to take down.
      if ((await written()) !== undefined) await bourse("down", "--data", data);
      for (const { process, ended } of started) {
        process.kill("SIGKILL");
        await ended;
      }
      await removeEmbedded(join(data, "postgres"));
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** Whether a process runs; one that has ended and that nobody has asked after does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    // Without a /proc to read, the signal has told.
    return (error as NodeJS.ErrnoException).code === "ENOENT" && process.platform !== "linux";
  }
}

/** Postgres writes its process id down where its files are; under root that is elsewhere. */
async function findPostgres(folder: string): Promise<number> {
  const place = await readFile(join(folder, "location"), "utf8").catch(() => folder);
  for (const each of [place.trim(), join(place.trim(), "cluster")]) {
    const text = await readFile(join(each, "postmaster.pid"), "utf8").catch(() => "");
    if (text !== "") return Number(text.split("\n")[0]);
  }
  throw new Error(`no Postgres runs on ${folder}`);
}
