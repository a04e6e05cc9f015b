import {
  ConfigError,
  type ConfigOf,
  callerVariables,
  commonVariables,
  type Environment,
  listenAddress,
  peerAddress,
  readConfig,
  redisUrl,
  wholeNumber,
} from "@bourse/service";

/** The environment variables of discovery. */
export const variables = {
  ...commonVariables,
  ...callerVariables,
  BOURSE_LISTEN: listenAddress.default("0.0.0.0:7404").describe("host:port of the gRPC server"),
  BOURSE_REGISTRY_ADDRESS: peerAddress.describe("where the registry is, which is followed"),
  BOURSE_WORKERS: wholeNumber({ min: 1, max: 256 })
    .default(1)
    .describe(
      "processes that share the port, one core each; more than 1 take turns over REDIS_URL",
    ),
  REDIS_URL: redisUrl
    .optional()
    .describe("Redis, where replicas take turns together; unset means that each counts alone"),
} as const;

/** Reads them. Throws a ConfigError also when several workers have nothing over which to take turns. */
export function readVariables(env: Environment): ConfigOf<typeof variables> {
  const config = readConfig(variables, env);
  if (config.BOURSE_WORKERS === 1 || config.REDIS_URL !== undefined) return config;
  const problem = "above 1 needs REDIS_URL: without it each worker would count its turns alone";
  throw new ConfigError([{ variable: "BOURSE_WORKERS", problem }]);
}
