export type { Closeable } from "./closer.ts";
export {
  ConfigError,
  type ConfigFault,
  type ConfigOf,
  type Environment,
  readConfig,
  type Shape,
  type Variable,
  variablesOf,
} from "./config.ts";
export {
  type BuiltService,
  type CommonConfig,
  type RunOptions,
  run,
  type ServiceContext,
} from "./run.ts";
export {
  callerVariables,
  commonVariables,
  duration,
  filePath,
  flag,
  listenAddress,
  peerAddress,
  postgresUrl,
  redisUrl,
  wholeNumber,
} from "./variables.ts";
export { readVersion } from "./version.ts";
export { runWorkers } from "./workers.ts";
