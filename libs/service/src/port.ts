import type { RpcServer } from "@bourse/rpc";
import type { Siblings } from "./siblings.ts";

/** The port of a service that is not ready yet; disposing drains it. */
export interface Port extends AsyncDisposable {
  /** The service is ready: the port is open from now on, and health is SERVING. */
  serve(): Promise<RpcServer>;
}

/**
 * Opens a port before the service is ready, so that probes and callers have an answer; but not while
 * a sibling is ready, who answers all of them. So it closes when one becomes ready, and its
 * connections with it, and opens again when none is any more. Rejects when it cannot be opened.
 */
export async function holdPort(siblings: Siblings, open: () => Promise<RpcServer>): Promise<Port> {
  let wish: "while no sibling is ready" | "always" | "never" = "while no sibling is ready";
  let server: RpcServer | undefined;
  let settled = Promise.resolve();
  let drained: Promise<unknown> = settled;

  async function settleNow(): Promise<void> {
    if (wish === "always" || (wish !== "never" && !siblings.areReady)) {
      server ??= await open();
    } else if (server !== undefined) {
      // Not waited for: a caller who stays shall not keep the service from being ready.
      drained = Promise.all([drained, server.drain()]);
      server = undefined;
    }
  }
  // One after the other, each by what is so when its turn comes.
  function settle(): Promise<void> {
    settled = settled.then(settleNow);
    return settled;
  }

  await settle();
  // What goes wrong here ends the process, as every error that nothing catches: it is started again.
  siblings.onChange(() => void settle());
  return {
    async serve() {
      wish = "always";
      await settle();
      if (server === undefined) throw new Error("the service ended before it was ready");
      server.setServing(true);
      return server;
    },
    async [Symbol.asyncDispose]() {
      wish = "never";
      await settle();
      await drained;
    },
  };
}
