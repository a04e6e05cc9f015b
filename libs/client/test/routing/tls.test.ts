import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import { Code } from "@connectrpc/connect";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { routeByCapability } from "../../src/index.ts";
import { openDiscovery } from "../support/discovery.ts";
import { echoStub, openEcho } from "../support/echo.ts";

/** A certificate of its own authority for this machine, gone from the disk when it is read. */
function certify() {
  const folder = mkdtempSync(join(tmpdir(), "bourse-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test " +
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout";
  try {
    execFileSync("openssl", [...words.split(" "), key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const certificate = certify();

describe.skipIf(certificate === undefined)("a target with TLS", () => {
  const secure = { certificate: certificate as NonNullable<typeof certificate> };
  const trusting = credentials.createSsl(secure.certificate?.cert);

  async function route() {
    const stack = new AsyncDisposableStack();
    const open = stack.use(await openEcho("open"));
    const named = stack.use(await openEcho("named", { ...secure, host: "localhost" }));
    const discovery = openDiscovery(open, named);
    stack.use(routeByCapability({ market: discovery.market }));
    return {
      answers: async (target: string, security: ChannelCredentials) => {
        const stub = stack.use(echoStub(target, undefined, security));
        const said = [await stub.say("a"), await stub.say("b"), await stub.say("c")];
        return new Set(said);
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  }

  test("calls the agents that have it, each by its own name", async () => {
    await using routed = await route();

    const said = await routed.answers("bourse:///echo?tls=true", trusting);
    expect(said).toEqual(new Set(["named"]));
  });

  test("calls nobody whose certificate the caller does not trust", async () => {
    await using routed = await route();

    await expect(
      routed.answers("bourse:///echo?tls=true", credentials.createSsl()),
    ).rejects.toThrow(/no agent for .* can be reached/);
  });

  test("calls nobody over TLS who does not ask for it, and nobody without who does", async () => {
    await using routed = await route();

    expect(await routed.answers("bourse:///echo", credentials.createInsecure())).toEqual(
      new Set(["open"]),
    );
  });

  test("is dialled by a Connect-typed client too", async () => {
    await using _ = await route();
    await using channel = dial({ address: "bourse:///echo?tls=true", credentials: trusting });

    await expect(client(RegistryService, channel).getAgent({ agentId: "x" })).rejects.toMatchObject(
      // The agents serve another contract: so they were reached.
      { code: Code.Unimplemented },
    );
  });
});
