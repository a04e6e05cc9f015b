import type { DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  type ChannelCredentials,
  credentials,
  Client as GrpcClient,
  type ServiceConfig,
} from "@grpc/grpc-js";
import { createTransport } from "./transport.ts";

/** How to reach a service. */
export interface DialOptions {
  /** `127.0.0.1:7403`, or `dns:///ledger:7403` for every replica behind the name. */
  readonly address: string;
  /** The bearer token of each call. */
  readonly token?: (() => string | Promise<string>) | undefined;
  /** How the connection is secured, such as `credentials.createSsl()`; default: not at all. */
  readonly credentials?: ChannelCredentials | undefined;
  /** Deadline of unary calls that bring none; default 10,000. Streams have none by default. */
  readonly timeoutMs?: number | undefined;
}

/**
 * A Connect transport over gRPC. Once closed it takes no new calls; those in flight go on to their
 * end.
 */
export interface Channel extends Transport, AsyncDisposable, Disposable {
  readonly address: string;
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Opens a channel; it connects at its first call, and again when the connection is lost.
 *
 * Calls are spread over all addresses of the name. A call that ends UNAVAILABLE is tried up to four
 * times if the contract gives its method an `idempotency_level`.
 */
export function dial(options: DialOptions): Channel {
  const { address } = options;
  const security = options.credentials ?? credentials.createInsecure();
  // One grpc-js client per service: its retry rules are fixed when it is made, and they name
  // methods.
  const clients = new Map<string, GrpcClient>();
  let closed = false;

  function clientOf(service: DescService): GrpcClient {
    if (closed) throw new ConnectError(`the channel to ${address} is closed`, Code.Unavailable);
    const known = clients.get(service.typeName);
    if (known !== undefined) return known;
    const made = new GrpcClient(address, security, channelOptions(service));
    clients.set(service.typeName, made);
    return made;
  }

  function close(): void {
    closed = true;
    for (const each of clients.values()) each.close();
  }

  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return {
    ...createTransport({ clientOf, token: options.token, timeoutMs }),
    address,
    close,
    [Symbol.dispose]: close,
    [Symbol.asyncDispose]: async () => close(),
  };
}

/**
 * A typed client of a service. Loop over its streams with `streamed`, so that leaving the loop ends
 * the call.
 */
export function client<S extends DescService>(desc: S, channel: Transport): Client<S> {
  return createClient(desc, channel);
}

function channelOptions(service: DescService): Record<string, string | number> {
  return {
    "grpc.service_config": JSON.stringify(serviceConfig(service)),
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": 16 * 1024 * 1024,
    // With the usual 64 KiB a long stream waits for the reader's leave more than for anything else.
    "grpc-node.flow_control_window": 1024 * 1024,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A service that restarts is back within a second; the defaults wait up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3_000,
    "grpc.dns_min_time_between_resolutions_ms": 5_000,
  };
}

/**
 * The gRPC service config of a service: round robin, and retries where the contract allows them.
 */
export function serviceConfig(service: DescService): ServiceConfig {
  const repeatable = service.methods.filter((method) => method.idempotency > 0);
  const retries = {
    name: repeatable.map((method) => ({ service: service.typeName, method: method.name })),
    retryPolicy: {
      maxAttempts: 4,
      initialBackoff: "0.05s",
      maxBackoff: "1s",
      backoffMultiplier: 2,
      retryableStatusCodes: ["UNAVAILABLE"],
    },
  };
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: repeatable.length === 0 ? [] : [retries],
    // When one answer in ten fails, more calls would only make it worse.
    retryThrottling: { maxTokens: 100, tokenRatio: 0.1 },
  };
}
