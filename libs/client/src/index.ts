export { faultsOf, metadataOf, reasonOf, streamed } from "@bourse/rpc";
export type { AgentEvent, AgentOptions, Decline, Terms, Work } from "./agent.ts";
export { hours, minutes, money, seconds } from "./amount.ts";
export type { Addresses, ServiceName } from "./config.ts";
export {
  type Connection,
  type ConnectOptions,
  connect,
  type Market,
  marketOf,
  type Transports,
} from "./connect.ts";
export type { RoutingEvent } from "./routing/route.ts";
export { type RoutingOptions, routeByCapability } from "./routing/route-by-capability.ts";
export type { NamedAgent } from "./routing/selection.ts";
export { runAgent } from "./run-agent.ts";
