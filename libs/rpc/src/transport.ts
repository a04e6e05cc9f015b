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
import type { Transport, UnaryResponse } from "@connectrpc/connect";
import { type CallOptions, type Client, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { errorOfSignal, errorOfStatus, outOfTime } from "./failure.ts";
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
  /** The metadata of a call; fails as the call would when it ends while its token is made. */
  async function metadataOf(
    init: HeadersInit,
    { deadline }: Limits,
    signal: AbortSignal | undefined,
  ): Promise<Metadata> {
    if (signal?.aborted === true) throw errorOfSignal(signal);
    const metadata = new Metadata();
    if (init !== undefined) addHeaders(metadata, new Headers(init));
    if (token !== undefined && metadata.get("authorization").length === 0) {
      const made = token();
      const bearer = typeof made === "string" ? made : await inTime(made, deadline, signal);
      metadata.set("authorization", `Bearer ${bearer}`);
    }
    return metadata;
  }

  return {
    async unary(method, signal, ownTimeoutMs, init, input) {
      const limits = limitsOf(ownTimeoutMs ?? timeoutMs);
      const metadata = await metadataOf(init, limits, signal);
      // It may have aborted since: an abort that is past tells no listener.
      if (signal?.aborted === true) throw errorOfSignal(signal);
      const client = clientOf(method.parent);
      return callUnary(client, method, encode(method.input, input), metadata, limits, signal);
    },
    async stream(method, signal, ownTimeoutMs, init, input) {
      const limits = limitsOf(ownTimeoutMs);
      const metadata = await metadataOf(init, limits, signal);
      if (signal?.aborted === true) throw errorOfSignal(signal);
      const client = clientOf(method.parent);
      // All kinds of stream are alike on the wire; this call object has both directions.
      const raw = client.makeBidiStreamRequest(
        pathOf(method),
        (message: MessageInitShape<typeof method.input>) => encode(method.input, message),
        (bytes) => decode(method.output, bytes),
        metadata,
        limits,
      );
      const opened = await openStream(raw, input, signal);
      return { stream: true, service: method.parent, method, ...opened };
    },
  };
}

/** The metadata of an answer; what follows the message may come right after it is told. */
interface Received {
  header?: Metadata;
  trailer?: Metadata;
}

/**
 * What a unary call brings; its headers are made when somebody looks at them, which few do. A class, since accessors
 * of an object literal are old at birth, and keep all that they can reach until a large collection.
 */
class Answer<I extends DescMessage, O extends DescMessage> implements UnaryResponse<I, O> {
  readonly stream = false;
  readonly method: DescMethodUnary<I, O>;
  readonly message: MessageShape<O>;
  readonly #received: Received;

  constructor(method: DescMethodUnary<I, O>, message: MessageShape<O>, received: Received) {
    this.method = method;
    this.message = message;
    this.#received = received;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get header(): Headers {
    return headersOf(this.#received.header);
  }

  get trailer(): Headers {
    return headersOf(this.#received.trailer);
  }
}

function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: Buffer,
  metadata: Metadata,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    const received: Received = {};
    const call = client.makeUnaryRequest(
      pathOf(method),
      asIs,
      (bytes) => decode(method.output, bytes),
      request,
      metadata,
      limits,
      (error, message) => {
        signal?.removeEventListener("abort", cancel);
        if (error !== null) {
          const ours = signal?.aborted === true && error.code === status.CANCELLED;
          return reject(ours ? errorOfSignal(signal) : errorOfStatus(error));
        }
        resolve(new Answer(method, message as MessageShape<O>, received));
      },
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    call.once("metadata", (header: Metadata) => {
      received.header = header;
    });
    call.once("status", ({ metadata: trailer }: StatusObject) => {
      received.trailer = trailer;
    });
  });
}

/** When a call ends at the latest: milliseconds since the epoch. */
type Limits = Pick<CallOptions, "deadline"> & { readonly deadline?: number };

/** Beyond 2^31 ms grpc-js takes a deadline for one that has passed. */
const TIMEOUT_MS_MAX = 24 * 86_400_000;

function limitsOf(timeoutMs: number | undefined): Limits {
  if (timeoutMs === undefined) return {};
  if (timeoutMs <= 0) throw outOfTime();
  return { deadline: Date.now() + Math.min(timeoutMs, TIMEOUT_MS_MAX) };
}

/** Waits for a value until the deadline or the end of the signal, whichever comes first. */
function inTime<T>(
  value: Promise<T>,
  deadline: number | undefined,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = (): void => reject(signal === undefined ? outOfTime() : errorOfSignal(signal));
    const timer =
      deadline === undefined
        ? undefined
        : setTimeout(() => reject(outOfTime()), deadline - Date.now());
    signal?.addEventListener("abort", cancel, { once: true });
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    void value.then(resolve, reject).finally(done);
  });
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
