import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aProfile } from "../support/agent.ts";
import { bourse, type Running } from "../support/command.ts";
import { anOperator, isAlive, type Operator, type Status } from "../support/operator.ts";

describe("a market that an operator keeps up", () => {
  let operator: Operator;
  let running: Running;
  let status: Status;

  beforeAll(async () => {
    operator = await anOperator();
    running = await operator.up();
    status = await operator.status();
  });
  afterAll(() => operator?.[Symbol.asyncDispose]());

  test("is shown by status, with every service serving", () => {
    expect(status.pid).toBe(running.process.pid);
    expect(status.services.map(({ name, health }) => [name, health])).toEqual([
      ["registry", "serving"],
      ["auction", "serving"],
      ["ledger", "serving"],
      ["discovery", "serving"],
    ]);
  });

  test("is opened by a token that the operator mints for an agent", async () => {
    await using x = await operator.connectAs("agent-x");

    await x.registry.registerAgent({ agentId: "agent-x", profile: aProfile() });

    const { agent } = await x.registry.getAgent({ agentId: "agent-x" });
    expect(agent?.agentId).toBe("agent-x");
  });

  test("is not harmed by a second one on the same folder, which is refused", async () => {
    const { data } = operator;

    const second = await bourse("up", "--data", data, "--ports", "auto");

    expect(second).toMatchObject({ exitCode: 1, stdout: "" });
    expect(second.stderr).toMatch(/^bourse: a market \(pid \d+\) runs on .* already/m);
    const pidsOf = (each: Status) => [each.pid, ...each.services.map(({ pid }) => pid)];
    expect(pidsOf(await operator.status())).toEqual(pidsOf(status));
  });

  test("keeps its ports: another market that wants one is refused by name", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "bourse-elsewhere-"));
    const port = String(takenPort(status));

    const other = await bourse("up", "--data", elsewhere, "--ports", port);
    await rm(elsewhere, { recursive: true });

    expect(other).toMatchObject({ exitCode: 1, stdout: "" });
    expect(other.stderr).toMatch(/^bourse: ports taken on 127\.0\.0\.1: /m);
    expect(other.stderr).toContain(`${port} (registry)`);
  });

  test("stops cleanly on Ctrl-C: ports are free, Postgres is gone, status says so", async () => {
    const postgres = await operator.postgres();
    expect(isAlive(postgres)).toBe(true);

    running.process.kill("SIGINT");
    const { exitCode } = await running.ended;

    expect(exitCode).toBe(0);
    const pids = [postgres, ...status.services.map(({ pid }) => pid)];
    expect(pids.filter(isAlive)).toEqual([]);
    for (const { address } of status.services) await expectFree(address);
    const after = await bourse("status", "--data", operator.data);
    expect(after).toMatchObject({ exitCode: 1, stdout: "" });
    expect(after.stderr).toContain("no market runs on");
  });
});

describe("a market whose supervisor is killed", () => {
  test("comes back on the same data, and is stopped by down", async () => {
    await using operator = await anOperator();
    const first = await operator.up();
    const left = await operator.status();
    await using y = await operator.connectAs("agent-y");
    await y.registry.registerAgent({ agentId: "agent-y", profile: aProfile() });
    first.process.kill("SIGKILL");
    await first.ended;

    const second = await operator.up();
    await using again = await operator.connectAs("agent-y");
    const { agent } = await again.registry.getAgent({ agentId: "agent-y" });
    const now = await operator.status();
    const down = await bourse("down", "--data", operator.data);

    expect(agent?.profile?.capabilities).toEqual(["iso_construction"]);
    expect(left.services.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
    expect(down).toMatchObject({ exitCode: 0 });
    expect(down.stdout).toContain("stopped the market");
    expect(await second.ended).toMatchObject({ exitCode: 0 });
    expect(now.services.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
  });

  test("leaves nothing behind once down has been told", async () => {
    await using operator = await anOperator();
    const running = await operator.up();
    const { services } = await operator.status();
    const postgres = await operator.postgres();
    expect(isAlive(postgres)).toBe(true);
    running.process.kill("SIGKILL");
    await running.ended;

    const { exitCode } = await bourse("down", "--data", operator.data);

    expect(exitCode).toBe(0);
    expect([postgres, ...services.map(({ pid }) => pid)].filter(isAlive)).toEqual([]);
  });
});

describe("a data folder of a newer Bourse", () => {
  test("is left alone", async () => {
    await using operator = await anOperator();
    const format = join(operator.data, "FORMAT");
    await writeFile(format, "999\n");

    const { exitCode, stdout, stderr } = await bourse("up", "--data", operator.data);

    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^bourse: .* was written by a newer Bourse \(format 999/m);
    expect(await readFile(format, "utf8")).toBe("999\n");
  });
});

/** A port of the market that `--ports` takes as a first one: the metrics lie 2,000 above the four. */
function takenPort({ services }: Status): number {
  const ports = services.map(({ address }) => Number(address.split(":")[1]));
  return ports.find((port) => port <= 65_535 - 2_000 - 3) ?? 0;
}

/** Proves that nobody listens at an address. */
async function expectFree(address: string): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port: Number(port), exclusive: true }, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}
