import {
  type ConfigOf,
  commonVariables,
  type Environment,
  listenAddress,
  peerAddress,
  postgresUrl,
  readConfig,
  redisUrl,
  wholeNumber,
} from "@bourse/service";

/** The environment variables of the registry. */
export const variables = {
  ...commonVariables,
  BOURSE_LISTEN: listenAddress
    .default("0.0.0.0:7401")
    .describe(commonVariables.BOURSE_LISTEN.description ?? ""),
  DATABASE_URL: postgresUrl.describe("PostgreSQL server and database of the registry"),
  DATABASE_POOL: wholeNumber({ min: 2, max: 200 })
    .default(10)
    .describe(
      "most connections to PostgreSQL, besides four that watchers read through and one that listens",
    ),
  REDIS_URL: redisUrl
    .optional()
    .describe(
      "Redis that the replicas share leases through; unset means memory, which is right for one replica",
    ),
  BOURSE_BREAKER_CALIBRATION_PERCENT: wholeNumber({ min: 0, max: 60 })
    .default(50)
    .describe(
      "a settled task that lowers the calibration of its agent below this opens its circuit breaker; 0 means none does",
    ),
  BOURSE_AUCTION_ADDRESS: peerAddress
    .optional()
    .describe("auction that erasures go through; unset means that they wait in the outbox"),
  BOURSE_LEDGER_ADDRESS: peerAddress
    .optional()
    .describe("ledger that the lineage is told to; unset means that it waits in the outbox"),
} as const;

/** The values of the variables. */
export type Config = ConfigOf<typeof variables>;

/** Reads the configuration. @throws ConfigError that names everything missing or wrong */
export function readRegistryConfig(env: Environment): Config {
  return readConfig(variables, env);
}
