import { readConfig } from "@bourse/service";
import { createLogger, createMetrics } from "@bourse/telemetry";
import { expect, test } from "vitest";
import { variables } from "../../src/config.ts";
import { openFacilitator } from "../../src/x402/open.ts";

/** The sockets on which this process waits for callers. */
function listening(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPServerWrap").length;
}

const never = () => Promise.reject(new Error("not asked for"));
const books = { submit: never, payments: { standing: never, wasPaid: never } };

test.each([
  ["no port", undefined, 0],
  ["one port", "127.0.0.1:0", 1],
])("a ledger opens %s for x402 when BOURSE_X402_LISTEN is %s", async (_what, listen, ports) => {
  await using opened = new AsyncDisposableStack();
  const context = {
    logger: createLogger({ service: "ledger", level: "silent" }),
    metrics: createMetrics({ service: "ledger" }),
    now: () => new Date(),
    defer: opened.use.bind(opened),
  };
  const config = readConfig(variables, {
    DATABASE_URL: "postgres://127.0.0.1/bourse",
    BOURSE_JWKS_FILE: "jwks.json",
    BOURSE_X402_LISTEN: listen,
  });
  const before = listening();

  await openFacilitator(context, config, books);

  expect(listening() - before).toBe(ports);
});
