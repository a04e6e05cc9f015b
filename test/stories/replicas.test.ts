import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@bourse/client";
import { expect, test } from "vitest";
import { aProfile } from "../support/agent.ts";
import { bourse } from "../support/command.ts";
import { anOperator } from "../support/operator.ts";

const REDIS_URL = process.env["REDIS_URL"];
const CONNECTIONS = 8;
const PICKS = 90;

/** How many processes of a service have come to serve. */
async function startsOf(service: string, data: string): Promise<number> {
  const log = await readFile(join(data, "logs", `${service}.log`), "utf8");
  return log.split("\n").filter((line) => line.includes('"event":"started"')).length;
}

test.skipIf(REDIS_URL === undefined)(
  "a market over Redis that is up with two workers of discovery gives each agent its turn exactly",
  async () => {
    await using stack = new AsyncDisposableStack();
    const { data, up, status } = stack.use(await anOperator());
    const running = await up(["--workers", "2"], { REDIS_URL: REDIS_URL ?? "" });
    expect(running.output()).toMatch(/discovery .* 2 workers$/m);
    await expect.poll(() => startsOf("discovery", data)).toBe(2);
    const { services } = await status();
    const addresses = Object.fromEntries(services.map(({ name, address }) => [name, address]));
    const token = (await bourse("token", "--operator", "--data", data)).stdout.trim();
    const operator = stack.use(connect({ addresses, token }));
    const capability = `turns-${crypto.randomUUID()}`;
    const agents = ["a", "b", "c"].map((letter) => `${letter}-${crypto.randomUUID()}`);
    for (const agentId of agents) {
      const profile = aProfile({ capabilities: [capability] });
      await operator.registry.registerAgent({ agentId, profile });
    }
    // Each has connections of its own, so that both workers are asked.
    const callers = Array.from({ length: CONNECTIONS }, () =>
      stack.use(connect({ addresses, token })),
    );
    for (const { discovery } of callers) {
      await expect
        .poll(async () => {
          const { totalSize } = await discovery.searchAgents({
            filter: { capabilities: [capability] },
          });
          return totalSize;
        })
        .toBe(3n);
    }

    const picks = await Promise.all(
      Array.from({ length: PICKS }, async (_, nth) => {
        const { discovery } = callers[nth % CONNECTIONS] as (typeof callers)[number];
        const { agent } = await discovery.selectAgent({ filter: { capabilities: [capability] } });
        return agent?.agentId;
      }),
    );

    const counts = agents.map((agentId) => picks.filter((picked) => picked === agentId).length);
    expect(counts).toEqual([PICKS / 3, PICKS / 3, PICKS / 3]);
  },
);

test.each([
  ["0", "--workers takes a whole number from 1 to 256"],
  ["two", "--workers takes a whole number from 1 to 256"],
  ["2", "several workers take turns over Redis: set REDIS_URL"],
])("bourse up --workers %s, without a Redis, is refused in a sentence", async (count, sentence) => {
  const data = join(tmpdir(), `bourse-refused-${crypto.randomUUID()}`);

  const { exitCode, stderr } = await bourse("up", "--workers", count, "--data", data);

  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^bourse: /);
  expect(stderr).toContain(sentence);
  expect(existsSync(data)).toBe(false);
});
