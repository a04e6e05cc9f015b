import { type Connection, connect } from "@bourse/client";
import type { Market } from "../market/market.ts";
import { SERVICE_NAMES } from "../market/ports.ts";
import type { DemoAgent, DemoTask } from "./files.ts";

/** Everybody who has a part in the demo, each with a connection and a token of its own. */
export interface Stage {
  readonly market: Market;
  readonly agents: readonly DemoAgent[];
  readonly task: DemoTask;
  readonly operator: Connection;
  /** As the agent of this id. */
  as(agentId: string): Promise<Connection>;
  readonly random: () => number;
}

const TOKEN_TTL_SECONDS = 3_600;

/** Connects the players; disposing of the stack lets them go. */
export async function setStage(
  stack: AsyncDisposableStack,
  given: Pick<Stage, "market" | "agents" | "task" | "random">,
): Promise<Stage> {
  const { market } = given;
  const addresses = Object.fromEntries(SERVICE_NAMES.map((name) => [name, market.address(name)]));
  const open = async (principal: string) => {
    const token = await market.signer.mint(principal, TOKEN_TTL_SECONDS);
    return stack.use(connect({ addresses, token }));
  };
  const connections = new Map<string, Promise<Connection>>();
  return {
    ...given,
    operator: await open("operator"),
    as(agentId) {
      const connection = connections.get(agentId) ?? open(`agent:${agentId}`);
      connections.set(agentId, connection);
      return connection;
    },
  };
}

/** Asks again, a little later each time, until the answer will do. */
export async function until<T>(
  ask: () => Promise<T>,
  willDo: (answer: T) => boolean,
  what: string,
): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 200)) {
    const answer = await ask();
    if (willDo(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
