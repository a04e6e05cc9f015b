import { commonVariables, listenAddress, postgresUrl, wholeNumber } from "@bourse/service";

/** The environment variables of the ledger. */
export const variables = {
  ...commonVariables,
  BOURSE_LISTEN: listenAddress.default("0.0.0.0:7403").describe("host:port of the gRPC server"),
  DATABASE_URL: postgresUrl.describe("Postgres that holds the books, in the schema ledger"),
  BOURSE_LEDGER_BATCH_MAX: wholeNumber({ min: 1, max: 10_000 })
    .default(1_000)
    .describe("most commands that one database transaction bears; a larger call goes alone"),
  BOURSE_LEDGER_LANES: wholeNumber({ min: 1, max: 8 })
    .default(2)
    .describe("how many batches may be under way at once"),
  BOURSE_LEDGER_QUEUE_MAX: wholeNumber({ min: 1, max: 1_000_000 })
    .default(20_000)
    .describe("most commands that wait for their batch; beyond it callers are told to come back"),
} as const;
