/** The services of a market that a client calls. */
export type ServiceName = "registry" | "auction" | "ledger" | "discovery";

/** Where each service is: `host:port`, or `dns:///name:port` for all replicas behind a name. */
export type Addresses = Readonly<Record<ServiceName, string>>;

/** The addresses in the environment (`BOURSE_REGISTRY_ADDRESS` and so on), else those of a market on this machine. */
export function addressesOf(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Addresses {
  return {
    registry: env["BOURSE_REGISTRY_ADDRESS"] || "127.0.0.1:7401",
    auction: env["BOURSE_AUCTION_ADDRESS"] || "127.0.0.1:7402",
    ledger: env["BOURSE_LEDGER_ADDRESS"] || "127.0.0.1:7403",
    discovery: env["BOURSE_DISCOVERY_ADDRESS"] || "127.0.0.1:7404",
  };
}

/** The bearer token in the environment (`BOURSE_TOKEN`), if there is one. */
export function tokenOf(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env["BOURSE_TOKEN"] || undefined;
}
