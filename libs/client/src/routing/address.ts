import { isIP } from "node:net";

/** What discovery says of where an agent is. */
export interface Endpoint {
  readonly uri: string;
  readonly protocol: string;
}

/** Where to connect to. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What the schemes stand for when they name no port, as gRPC has it. */
const PORT = 443;

/**
 * The address of an endpoint that speaks gRPC the way that the caller wants: `grpc://host:port`, or
 * `grpcs://host:port` with TLS. Undefined for any other, which cannot be called with a stub. With TLS
 * the host must be a name: Node.js checks no certificate of an IP address that grpc-js dials.
 */
export function addressOf(endpoint: Endpoint | undefined, tls: boolean): Address | undefined {
  if (endpoint === undefined || (endpoint.protocol !== "" && endpoint.protocol !== "grpc")) {
    return undefined;
  }
  const url = URL.parse(endpoint.uri);
  if (url === null || url.protocol !== (tls ? "grpcs:" : "grpc:")) return undefined;
  const beyond = url.username + url.password + url.search + url.hash;
  if (url.hostname === "" || beyond !== "" || !["", "/"].includes(url.pathname)) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (tls && isIP(host) !== 0) return undefined;
  return { host, port: url.port === "" ? PORT : Number(url.port) };
}
