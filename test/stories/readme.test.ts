import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SERVICE_NAMES } from "@bourse/cli/market";
import { AwardPolicy, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { aTask, post } from "../support/task.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE = join(ROOT, "examples/summarizer.ts");

let market: TestMarket;
beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

test("the agent in the README is the example, to the letter", () => {
  const [, block] =
    /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];

  expect(block).toBe(readFileSync(EXAMPLE, "utf8"));
});

test("the agent of the README bids, works and delivers", async () => {
  const addresses = SERVICE_NAMES.map((name) => {
    return [`BOURSE_${name.toUpperCase()}_ADDRESS`, market.market.address(name)] as const;
  });
  const token = await market.market.signer.mint("agent:summarizer", 600);
  const agent = spawn(process.execPath, [EXAMPLE], {
    env: { ...process.env, ...Object.fromEntries(addresses), BOURSE_TOKEN: token },
    stdio: "inherit",
  });
  const buyer = await market.buyer("reader");
  const { taskId } = await post(
    buyer,
    aTask({
      capability: "text.summary",
      awardPolicy: AwardPolicy.FIRST_QUALIFIED,
      payload: { text: "Call me Ishmael." },
    }),
  );

  const stateOf = async () => (await buyer.auction.getTask({ taskId })).task?.state;
  await expect.poll(stateOf).toBe(TaskState.DELIVERED);
  const { task } = await buyer.auction.getTask({ taskId });

  expect(task?.result?.output).toEqual({ summary: "Call me Ishmael...." });
  agent.kill("SIGTERM");
});
