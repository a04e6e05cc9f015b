import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  choosePorts,
  type Market,
  type MarketOptions,
  SERVICE_NAMES,
  startMarket,
} from "@bourse/cli/market";
import { type Connection, connect } from "@bourse/client";
import { createPool, type Pool } from "@bourse/postgres";
import { removeEmbedded } from "@bourse/postgres/embedded";
import { type AgentProfileInit, aProfile } from "./agent.ts";
import { eur, type MoneyInit } from "./money.ts";

/** A market of its own for a story: four service processes and a Postgres, gone when disposed. */
export interface TestMarket extends AsyncDisposable {
  readonly market: Market;
  /** The database itself, for what no contract shows. */
  readonly pool: Pool;
  readonly operator: Connection;
  readonly auditor: Connection;
  /** Calls as `agent:<id>`, `operator`, `auditor` or `service:<name>`. */
  as(principal: string): Promise<Connection>;
  /** Calls with this token, or with none. */
  bearing(token: string | undefined): Connection;
  /** Somebody new who is not registered. */
  stranger(name: string): Promise<Actor>;
  /** A new registered agent that is ONLINE. */
  agent(name: string, profile?: Partial<AgentProfileInit>): Promise<Actor>;
  /** A new requester with money to spend. */
  buyer(name: string, budget?: MoneyInit): Promise<Actor>;
}

/** Somebody with a connection of its own. */
export interface Actor extends Connection {
  readonly id: string;
}

const TOKEN_TTL_SECONDS = 3_600;

/**
 * Starts a market in a folder of its own on free ports; `durable` makes its Postgres keep what it said when killed.
 * Without `redisUrl` what replicas share is in memory.
 */
export async function startTestMarket(
  options: Pick<MarketOptions, "durable" | "redisUrl" | "workers"> = {},
): Promise<TestMarket> {
  await using started = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), "bourse-story-"));
  started.defer(() => rm(data, { recursive: true, force: true }));
  started.defer(() => removeEmbedded(join(data, "postgres")));
  const market = started.use(
    await startMarket({
      data,
      ports: await choosePorts("auto"),
      durable: false,
      ...options,
    }),
  );
  const connections = started.use(new AsyncDisposableStack());
  const pool = createPool(market.databaseUrl, { max: 2 });
  started.defer(() => pool.end());

  const addresses = Object.fromEntries(SERVICE_NAMES.map((name) => [name, market.address(name)]));
  const bearing = (token: string | undefined) =>
    connections.use(token === undefined ? connect({ addresses }) : connect({ addresses, token }));
  const as = async (principal: string) =>
    bearing(await market.signer.mint(principal, TOKEN_TTL_SECONDS));
  const operator = await as("operator");
  const auditor = await as("auditor");

  let count = 0;
  const stranger = async (name: string): Promise<Actor> => {
    count += 1;
    const id = `${name}-${count}`;
    return { id, ...(await as(`agent:${id}`)) };
  };
  const stack = started.move();
  return {
    market,
    pool,
    operator,
    auditor,
    as,
    bearing,
    stranger,
    async agent(name, profile) {
      const actor = await stranger(name);
      await actor.registry.registerAgent({ agentId: actor.id, profile: aProfile(profile) });
      return actor;
    },
    async buyer(name, budget = eur(50)) {
      const actor = await stranger(name);
      await operator.ledger.deposit({
        depositId: budgetId(actor.id),
        owner: actor.id,
        amount: budget,
      });
      return actor;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The id of a buyer's first deposit, which must not name its owner. */
export function budgetId(agentId: string): string {
  return `budget-${createHash("sha256").update(agentId).digest("hex").slice(0, 32)}`;
}
