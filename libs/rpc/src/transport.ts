import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { type CallOptions, type Client, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { errorOfSignal, errorOfStatus } from "./failure.ts";
import { addHeaders, headersOf } from "./metadata.ts";
import { openStream } from "./outgoing-stream.ts";
import { asBuffer } from "./refusal.ts";

/** What a transport needs. */
export interface TransportOptions {
  readonly clientOf: (service: DescService) => Client;
  readonly token: (() => string | Promise<string>) | undefined;
  /** Deadline of unary calls that bring none. */
  readonly timeoutMs: number;
}

type HeadersInit = ConstructorParameters<typeof Headers>[0];

/** A Connect transport that speaks gRPC through grpc-js clients. */
export function createTransport({ clientOf, token, timeoutMs }: TransportOptions): Transport {
  async function metadataOf(init: HeadersInit): Promise<Metadata> {
    const metadata = new Metadata();
    if (init !== undefined) addHeaders(metadata, new Headers(init));
    if (token !== undefined && metadata.get("authorization").length === 0) {
      metadata.set("authorization", `Bearer ${await token()}`);
    }
    return metadata;
  }

  return {
    async unary(method, signal, ownTimeoutMs, init, input) {
      if (signal?.aborted === true) throw errorOfSignal(signal);
      const options = callOptions(ownTimeoutMs ?? timeoutMs);
      const metadata = await metadataOf(init);
      const client = clientOf(method.parent);
      return callUnary(client, method, encode(method.input, input), metadata, options, signal);
    },
    async stream(method, signal, ownTimeoutMs, init, input) {
      if (signal?.aborted === true) throw errorOfSignal(signal);
      const options = callOptions(ownTimeoutMs);
      const metadata = await metadataOf(init);
      const client = clientOf(method.parent);
      // All kinds of stream are alike on the wire; this call object has both directions.
      const raw = client.makeBidiStreamRequest(
        pathOf(method),
        (message: MessageInitShape<typeof method.input>) => encode(method.input, message),
        (bytes) => decode(method.output, bytes),
        metadata,
        options,
      );
      const opened = await openStream(raw, input, signal);
      return { stream: true, service: method.parent, method, ...opened };
    },
  };
}

function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: Buffer,
  metadata: Metadata,
  options: CallOptions,
  signal: AbortSignal | undefined,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    let header: Metadata | undefined;
    let trailer: Metadata | undefined;
    const call = client.makeUnaryRequest(
      pathOf(method),
      asIs,
      (bytes) => decode(method.output, bytes),
      request,
      metadata,
      options,
      (error, message) => {
        signal?.removeEventListener("abort", cancel);
        if (error !== null) {
          const ours = signal?.aborted === true && error.code === status.CANCELLED;
          return reject(ours ? errorOfSignal(signal) : errorOfStatus(error));
        }
        resolve({
          stream: false,
          service: method.parent,
          method,
          message: message as MessageShape<O>,
          // Few callers look at them.
          get header() {
            return headersOf(header);
          },
          get trailer() {
            return headersOf(trailer);
          },
        });
      },
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    call.once("metadata", (received: Metadata) => {
      header = received;
    });
    call.once("status", (final: StatusObject) => {
      trailer = final.metadata;
    });
  });
}

function callOptions(timeoutMs: number | undefined): CallOptions {
  if (timeoutMs === undefined) return {};
  if (timeoutMs <= 0) throw new ConnectError("no time is left for the call", Code.DeadlineExceeded);
  return { deadline: Date.now() + timeoutMs };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Buffer {
  return asBuffer(toBinary(schema, create(schema, init)));
}

function decode<Desc extends DescMessage>(schema: Desc, bytes: Buffer): MessageShape<Desc> {
  // A plain view: a `bytes` field must not come out as a Buffer.
  return fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
