import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuard, createSigner, generateKeys, type KeyFiles } from "@bourse/access";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { client, dial, reasonOf } from "@bourse/rpc";
import { freePort } from "@bourse/rpc/free-ports";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ServiceProcess, startProcess } from "./process.ts";

let directory: string;
let keys: KeyFiles;
let token: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bourse-service-"));
  keys = await generateKeys(directory);
  token = await (await createSigner(keys)).mint("operator", 3_600);
});
afterAll(() => rm(directory, { recursive: true }));

function started(env: Readonly<Record<string, string>> = {}): ServiceProcess {
  return startProcess({
    BOURSE_LISTEN: "127.0.0.1:0",
    BOURSE_JWKS_FILE: keys.jwksFile,
    BOURSE_KEY_FILE: keys.keyFile,
    BOURSE_DRAIN_MS: "5000",
    BOURSE_VERSION: "1.2.3",
    BOURSE_LOG_LEVEL: "debug",
    ...env,
  });
}

/** Calls the service; the answer is "ok" or the reason, and what it sent in `x-token`. */
async function act(address: string, what = ""): Promise<{ outcome: string; token: string }> {
  await using channel = dial({ address, token: () => token, timeoutMs: 20_000 });
  let sent = "";
  try {
    const onHeader = (headers: Headers) => {
      sent = headers.get("x-token") ?? "";
    };
    const headers = { "x-act": what };
    await client(DiscoveryService, channel).summarizeCapabilities({}, { headers, onHeader });
    return { outcome: "ok", token: sent };
  } catch (error) {
    return { outcome: reasonOf(error) ?? String(error), token: sent };
  }
}

async function health(address: string): Promise<Status> {
  await using channel = dial({ address });
  return (await client(Health, channel).check({})).status;
}

describe("a service that starts", () => {
  test("says once its name, version and address, and serves with its own codes", async () => {
    await using service = started();

    const address = await service.address();

    expect(await service.line("started")).toMatchObject({
      level: "info",
      service: "discovery",
      version: "1.2.3",
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      msg: `discovery 1.2.3 serves on ${address}`,
    });
    expect(await health(address)).toBe(Status.SERVING);
    expect(await act(address)).toMatchObject({ outcome: "ok" });
    expect(await act(address, "refuse")).toMatchObject({ outcome: "NOTHING_HERE" });
  });

  test("takes its version from the root of the repository when it is told none", async () => {
    await using service = started({ BOURSE_VERSION: "" });

    expect((await service.line("started"))["version"]).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("logs and measures each call, and asks who calls", async () => {
    const port = await freePort();
    await using service = started({ BOURSE_METRICS_LISTEN: `127.0.0.1:${port}` });
    const address = await service.address();
    await using stranger = dial({ address });

    const call = client(DiscoveryService, stranger).summarizeCapabilities({});

    expect(await call.catch(reasonOf)).toBe("UNAUTHENTICATED");
    expect(await service.line("rpc")).toMatchObject({
      method: "bourse.discovery.v1.DiscoveryService/SummarizeCapabilities",
      code: "unauthenticated",
      reason: "UNAUTHENTICATED",
      principal: "anonymous",
    });
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain('grpc_code="unauthenticated",service="discovery"} 1');
  });

  test("has a token of its own that peers accept", async () => {
    await using service = started();

    const sent = await act(await service.address(), "token");

    const method = DiscoveryService.method.selectAgent;
    const headers = new Headers({ authorization: `Bearer ${sent.token}` });
    const principal = await createGuard({ jwksFile: keys.jwksFile }).authenticate(method, headers);
    expect(principal).toEqual({ kind: "service", id: "discovery" });
  });

  test("is not serving while it is built, and tells callers to come again", async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    await using service = started({ BOURSE_LISTEN: address, EARLY: "yes", BUILD: "held" });
    await service.line("building");

    expect(await health(address)).toBe(Status.NOT_SERVING);
    expect(await act(address)).toMatchObject({ outcome: "STARTING" });

    service.signal("SIGUSR2");
    await service.line("started");
    expect(await health(address)).toBe(Status.SERVING);
    expect(await act(address)).toMatchObject({ outcome: "ok" });
    expect(await act(address, "refuse")).toMatchObject({ outcome: "NOTHING_HERE" });
  });
});

describe("a service that cannot start", () => {
  test.each([
    ["its build fails", { BUILD: "failing" }, "no database"],
    ["its key file is missing", { BOURSE_KEY_FILE: "/missing/key.json" }, "/missing/key.json"],
    [
      "its public keys are missing",
      { BOURSE_JWKS_FILE: "/missing/jwks.json" },
      "/missing/jwks.json",
    ],
  ])("because %s says so, closes what it opened, and exits with 1", async (_why, env, message) => {
    await using service = started(env);

    expect(await service.exitCode()).toBe(1);

    const failures = service.lines.filter((line) => line["event"] === "failed");
    expect(failures).toEqual([expect.objectContaining({ level: "fatal" })]);
    expect(JSON.stringify(failures[0]?.["err"])).toContain(message);
    const closed = service.lines.filter((line) => String(line["msg"]).endsWith("is closed"));
    expect(closed).toHaveLength("BUILD" in env ? 2 : 0);
  });

  test.each(["yes", "no"])("because its port is taken names it (early: %s)", async (early) => {
    await using first = started();
    const address = await first.address();
    await using second = started({ BOURSE_LISTEN: address, EARLY: early });

    expect(await second.exitCode()).toBe(1);
    expect(JSON.stringify(await second.line("failed"))).toContain(
      `cannot listen on ${address}: the port is taken`,
    );
  });

  test("because its configuration is wrong names every variable", async () => {
    await using service = started({ BOURSE_LISTEN: "", BOURSE_JWKS_FILE: "", BOURSE_LOG: "xml" });

    expect(await service.exitCode()).toBe(1);
    expect(service.stderr()).toContain("BOURSE_LISTEN is missing: host:port of the gRPC server");
    expect(service.stderr()).toContain("BOURSE_JWKS_FILE is missing");
    expect(service.stderr()).toContain("BOURSE_LOG is wrong (expected json or pretty)");
    expect(service.stderr()).not.toContain("    at ");
  });
});

describe("a service that stops", () => {
  test.each<NodeJS.Signals>(["SIGTERM", "SIGINT"])(
    "on %s answers, closes in reverse, exits 0",
    async (name) => {
      await using service = started();
      const slow = act(await service.address(), "slow");
      await service.line("slow begins");

      service.signal(name);
      await service.line("work ends");
      service.signal(name);
      service.signal("SIGUSR2");

      expect(await slow).toMatchObject({ outcome: "ok" });
      expect(await service.exitCode()).toBe(0);
      expect(service.lines.slice(-7).map((line) => line["event"] ?? line["msg"])).toEqual([
        "stopping",
        "work ends",
        "rpc",
        "third is closed",
        "second is closed",
        "first is closed",
        "stopped",
      ]);
    },
  );

  test("gives calls no more than the limit", async () => {
    await using service = started({ BOURSE_DRAIN_MS: "300" });
    const endless = act(await service.address(), "endless");
    await service.line("endless begins");

    service.signal("SIGTERM");

    expect(await service.line("rpc")).toMatchObject({ reason: "SHUTTING_DOWN" });
    expect(await service.exitCode()).toBe(0);
    expect((await endless).outcome).not.toBe("ok");
  });

  test.each(["yes", "no"])(
    "while it is built does not wait for ever (early: %s)",
    async (early) => {
      await using service = started({ EARLY: early, BUILD: "stuck", BOURSE_DRAIN_MS: "100" });
      await service.line("building");

      service.signal("SIGTERM");

      await service.line("first is closed");
      await service.line("stopped");
      expect(await service.exitCode()).toBe(0);
      expect(service.lines.some((line) => line["event"] === "started")).toBe(false);
    },
  );

  test.each([
    ["throw", "stray throw"],
    ["reject", "stray rejection"],
  ])("on a stray %s tells of it once and exits in order with 1", async (how, message) => {
    await using service = started();

    await act(await service.address(), how);

    expect(await service.exitCode()).toBe(1);
    const failures = service.lines.filter((line) => line["event"] === "failed");
    expect(failures).toHaveLength(1);
    expect(failures[0]?.["err"]).toMatchObject({ message, stack: expect.any(String) });
    await service.line("first is closed");
    await service.line("stopped");
  });

  test("closes the rest when something cannot be closed, and exits with 1", async () => {
    await using service = started({ BUILD: "unruly" });
    await service.address();

    service.signal("SIGTERM");

    expect(await service.exitCode()).toBe(1);
    expect(await service.line("failed")).toMatchObject({ err: { message: "cannot close" } });
    await service.line("first is closed");
  });
});

test("a handler that lost its database asks the caller to come again, and names no host", async () => {
  await using service = started();
  const address = await service.address();

  expect(await act(address, "lose the database")).toMatchObject({
    outcome: "DATABASE_UNAVAILABLE",
  });
  const call = await service.line("rpc");
  expect(call).toMatchObject({ code: "unavailable", reason: "DATABASE_UNAVAILABLE" });
});

describe("migrating", () => {
  const messages = ({ lines }: ServiceProcess) => lines.map((line) => line["msg"]);

  test("comes before building", async () => {
    await using service = started();
    await service.line("started");

    const said = messages(service);
    expect(said.indexOf("migrating")).toBeLessThan(said.indexOf("building"));
    expect(said).toContain("migrating");
  });

  test("is all that a process does when it is told so, and it ends well", async () => {
    await using service = started({ BOURSE_MIGRATE_ONLY: "true" });

    expect(await service.exitCode()).toBe(0);
    expect(messages(service)).toContain("migrating");
    expect(messages(service)).not.toContain("building");
  });

  test("that is interrupted does not pass for done", async () => {
    await using service = started({
      BOURSE_MIGRATE_ONLY: "true",
      BUILD: "endless",
      BOURSE_DRAIN_MS: "100",
    });
    await service.line("migrating");

    service.signal("SIGTERM");

    expect(await service.exitCode()).toBe(1);
  });

  test("that fails ends the process with exit code 1", async () => {
    await using service = started({ BOURSE_MIGRATE_ONLY: "true", BUILD: "unmigrated" });

    expect(await service.exitCode()).toBe(1);
  });
});
