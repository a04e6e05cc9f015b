import { randomUUID } from "node:crypto";
import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import type { Client, Transport } from "@connectrpc/connect";
import { type Addresses, addressesOf, tokenOf } from "./config.ts";
import { withRequestIds } from "./request-id.ts";

/** The services of a market, as typed clients. */
export interface Market {
  readonly registry: Client<typeof RegistryService>;
  readonly auction: Client<typeof AuctionService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly lineage: Client<typeof LineageService>;
  readonly discovery: Client<typeof DiscoveryService>;
}

/** A market that is reached over sockets; disposing of it closes them. */
export interface Connection extends Market, AsyncDisposable {}

/** How to reach a market. */
export interface ConnectOptions {
  /** Those not given come from the environment (`BOURSE_REGISTRY_ADDRESS` ...), else 127.0.0.1:7401 to 7404. */
  readonly addresses?: Partial<Addresses>;
  /** Bearer token of the calls, or what gives the current one; default `BOURSE_TOKEN` of the environment. */
  readonly token?: string | (() => string | Promise<string>);
  /** Milliseconds that a unary call may take; default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * Connects to a market. The sockets open with the first call to each service. Calls that the contract allows to repeat
 * are tried again when a service is away for a moment; mutations bear a `request_id`, so that they happen once.
 */
export function connect(options: ConnectOptions = {}): Connection {
  const addresses = { ...addressesOf(), ...options.addresses };
  const given = options.token ?? tokenOf();
  const token = typeof given === "string" ? () => given : given;
  const open = (address: string) => dial({ address, token, timeoutMs: options.timeoutMs });
  const channels = {
    registry: open(addresses.registry),
    auction: open(addresses.auction),
    ledger: open(addresses.ledger),
    discovery: open(addresses.discovery),
  };
  return {
    ...marketOf(channels),
    async [Symbol.asyncDispose]() {
      for (const channel of Object.values(channels)) channel.close();
    },
  };
}

/** A transport to each service; `ledger` serves the lineage too. */
export type Transports = Readonly<Record<keyof Addresses, Transport>>;

/** The clients over transports of any kind. */
export function marketOf(transports: Transports, newId: () => string = randomUUID): Market {
  const over = (transport: Transport) => withRequestIds(transport, newId);
  return {
    registry: client(RegistryService, over(transports.registry)),
    auction: client(AuctionService, over(transports.auction)),
    ledger: client(LedgerService, over(transports.ledger)),
    lineage: client(LineageService, over(transports.ledger)),
    discovery: client(DiscoveryService, over(transports.discovery)),
  };
}
