import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Connection, routeByCapability } from "@bourse/client";
import { BreakerCause } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { type Client, credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Running } from "../support/command.ts";
import { runExample } from "../support/example.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";

const CONTRACT = join(import.meta.dirname, "../../examples/summarise/summariser.proto");
const PYTHON = spawnSync("python3", ["-c", "import grpc, grpc_tools"]).status === 0;
const WAIT = { interval: 50 };

let stack: AsyncDisposableStack;
let market: TestMarket;
beforeAll(async () => {
  market = await startTestMarket();
  return () => market[Symbol.asyncDispose]();
});
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** An agent of the example, once it is registered. */
async function agent(id: string, program = "summarise/agent.ts"): Promise<Running> {
  const running = stack.use(await runExample(market, `agent:${id}`, program, id));
  await vi.waitFor(() => expect(running.output()).toContain(`${id} registered`), WAIT);
  return running;
}

/** What the caller of the example says, in lines. */
async function caller(program = "summarise/caller.ts"): Promise<() => string[]> {
  const running = stack.use(await runExample(market, "agent:office", program));
  return () => running.output().split("\n").slice(0, -1);
}

async function untilSaid(lines: () => string[], ...starts: readonly string[]): Promise<void> {
  await vi.waitFor(() => {
    const said = lines().map((line) => line.split(/[: ]/)[0]);
    expect(said).toEqual(expect.arrayContaining([...starts]));
  }, WAIT);
}

describe("calls by capability", () => {
  test("go on to the others when an agent is killed", async () => {
    const ada = await agent("ada");
    await agent("bob");
    await agent("cyd");
    const lines = await caller();
    await untilSaid(lines, "ada", "bob", "cyd");

    ada.process.kill("SIGKILL");
    await vi.waitFor(() => expect(lines()).toContain("ada failed"), WAIT);
    const since = lines().indexOf("ada failed") + 1;
    const after = () => lines().slice(since);
    const served = () => after().flatMap((line) => /^(\w+): Call me/.exec(line)?.[1] ?? []);
    await vi.waitFor(() => expect(served().length).toBeGreaterThan(7), WAIT);

    expect(new Set(served())).toEqual(new Set(["bob", "cyd"]));
    // The one that ada had taken when it died ends with its error.
    const failed = after().filter((line) => line.includes("UNAVAILABLE"));
    expect(failed.length).toBeLessThanOrEqual(1);
  });

  test.skipIf(!PYTHON)("reach agents of another language, and are made from it too", async () => {
    await agent("eve", "summarise/agent.py");
    await agent("fay");

    await untilSaid(await caller(), "eve", "fay");
    await untilSaid(await caller("summarise/caller.py"), "eve", "fay");
  });
});

describe("the reports of a caller", () => {
  interface Summariser extends Client {
    Summarise(
      request: { readonly text: string },
      answered: (error: { readonly code: status } | null, answer: { agent_id: string }) => void,
    ): void;
  }

  function summariserOf(connection: Connection) {
    stack.use(routeByCapability({ market: connection }));
    const contract = loadPackageDefinition(loadSync(CONTRACT, { keepCase: true })) as unknown as {
      example: { summarise: { v1: { Summariser: new (...args: unknown[]) => Summariser } } };
    };
    const { Summariser } = contract.example.summarise.v1;
    const stub = new Summariser("bourse:///summarise", credentials.createInsecure());
    stack.defer(() => stub.close());
    return () =>
      new Promise<string>((resolve) => {
        stub.Summarise({ text: "Call me Ishmael." }, (error, answer) =>
          resolve(error === null ? answer.agent_id : (status[error.code] ?? "?")),
        );
      });
  }

  test("open the breaker of an agent that died with their calls", async () => {
    await agent("zoe");
    const yan = await agent("yan");
    const call = summariserOf(await market.as("service:orders"));
    await vi.waitFor(async () => {
      expect(new Set([await call(), await call()])).toEqual(new Set(["yan", "zoe"]));
    }, WAIT);

    // It takes its calls but does nothing with them any more.
    yan.process.kill("SIGSTOP");
    const answers: string[] = [];
    const calls = Array.from({ length: 12 }, async () => answers.push(await call()));
    await vi.waitFor(() => expect(answers).toHaveLength(6), WAIT);
    yan.process.kill("SIGKILL");
    await Promise.all(calls);

    expect(answers.slice(0, 6)).toEqual(Array(6).fill("zoe"));
    expect(answers.slice(6)).toEqual(Array(6).fill("UNAVAILABLE"));
    await vi.waitFor(async () => {
      const { agent } = await market.operator.registry.getAgent({ agentId: "yan" });
      expect(agent?.breakers).toMatchObject([
        { capability: "summarise", cause: BreakerCause.FAILURE },
      ]);
    }, WAIT);
  });
});
