import {
  callerVariables,
  commonVariables,
  listenAddress,
  peerAddress,
  postgresUrl,
} from "@bourse/service";

/** What the auction reads from its environment. */
export const variables = {
  ...commonVariables,
  ...callerVariables,
  BOURSE_LISTEN: listenAddress.default("0.0.0.0:7402").describe("host:port of the gRPC server"),
  DATABASE_URL: postgresUrl.describe(
    "PostgreSQL database in which the auction owns schema auction",
  ),
  BOURSE_REGISTRY_ADDRESS: peerAddress.describe("where the registry is"),
  BOURSE_LEDGER_ADDRESS: peerAddress.describe("where the ledger is"),
} as const;
