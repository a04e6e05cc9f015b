import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { choosePorts, startMarket } from "@bourse/cli/market";
import { connect } from "@bourse/client";
import { removeEmbedded } from "@bourse/postgres/embedded";
import { expect, test } from "vitest";
import { aProfile } from "../support/agent.ts";

const REDIS_URL = process.env["REDIS_URL"];
const CONNECTIONS = 8;
const PICKS = 90;

test.skipIf(REDIS_URL === undefined)(
  "a market over Redis whose discovery has two workers gives each agent its turn exactly",
  async () => {
    await using stack = new AsyncDisposableStack();
    const data = await mkdtemp(join(tmpdir(), "bourse-story-"));
    stack.defer(() => rm(data, { recursive: true, force: true }));
    stack.defer(() => removeEmbedded(join(data, "postgres")));
    const market = stack.use(
      await startMarket({
        data,
        ports: await choosePorts("auto"),
        redisUrl: REDIS_URL,
        workers: 2,
        durable: false,
      }),
    );
    const token = await market.signer.mint("operator", 600);
    const addresses = {
      registry: market.address("registry"),
      discovery: market.address("discovery"),
    };
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
