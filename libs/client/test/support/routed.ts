import type { status } from "@grpc/grpc-js";
import { expect, vi } from "vitest";
import { type RoutingEvent, routeByCapability } from "../../src/index.ts";
import { openDiscovery } from "./discovery.ts";
import { type EchoAgent, echoStub, openEcho } from "./echo.ts";

/** Routes calls by what a discovery in memory says; gone when disposed. */
export async function route(agents: readonly string[]) {
  const stack = new AsyncDisposableStack();
  const echoes = await Promise.all(agents.map(async (id) => stack.use(await openEcho(id))));
  const discovery = openDiscovery(...echoes);
  const events: RoutingEvent[] = [];
  const { market } = discovery;
  stack.use(routeByCapability({ market, onEvent: (event) => events.push(event) }));
  return {
    discovery,
    events,
    echo: (id: string) => echoes.find(({ agentId }) => agentId === id) as EchoAgent,
    stub: (target: string, config?: object) => stack.use(echoStub(target, config)),
    use: <T extends AsyncDisposable | Disposable>(thing: T) => stack.use(thing),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Waits for what takes a moment, also on a machine that is busy. */
export const until = (holds: () => unknown) => vi.waitFor(holds, { interval: 20 });

export type Stub = ReturnType<typeof echoStub>;

export async function answers(stub: Stub, count: number): Promise<string[]> {
  const said: string[] = [];
  for (let call = 0; call < count; call += 1) said.push(await stub.say("hello"));
  return said;
}

/** Calls until this holds of who answered. */
export async function untilAnswers(stub: Stub, holds: (said: string[]) => boolean): Promise<void> {
  await until(async () => expect(holds(await answers(stub, 6))).toBe(true));
}

export const counted = (said: readonly string[]) =>
  Object.fromEntries(
    [...new Set(said)].sort().map((id) => [id, said.filter((x) => x === id).length]),
  );

export async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error as { code: status; details: string; metadata: unknown };
}
