import {
  callerVariables,
  commonVariables,
  listenAddress,
  peerAddress,
  redisUrl,
} from "@bourse/service";

/** The environment variables of discovery. */
export const variables = {
  ...commonVariables,
  ...callerVariables,
  BOURSE_LISTEN: listenAddress.default("0.0.0.0:7404").describe("host:port of the gRPC server"),
  BOURSE_REGISTRY_ADDRESS: peerAddress.describe("where the registry is, which is followed"),
  REDIS_URL: redisUrl
    .optional()
    .describe("Redis, where replicas take turns together; unset means that each counts alone"),
} as const;
