import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import {
  type CallOptions,
  type Client,
  type ClientOptions,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};

const ECHO = {
  say: { path: "/test.Echo/Say", requestStream: false, responseStream: false, ...text },
  sing: { path: "/test.Echo/Sing", requestStream: false, responseStream: true, ...text },
};

/** An agent that serves an echo; it can be told to misbehave. */
export interface EchoAgent extends AsyncDisposable {
  readonly agentId: string;
  readonly uri: string;
  /** Ends its calls with this status from now on; OK again. */
  failWith(code: status): void;
  /** Leaves calls without an answer from now on. */
  hang(): void;
  /** Cuts its connections in the middle of everything. */
  kill(): void;
  /** Calls that have reached it, and who each of them was meant for. */
  readonly calls: string[];
}

/** How an agent is reached: on a port of its own unless told, and without TLS unless it has a certificate. */
export interface EchoPlace {
  readonly port?: number;
  readonly host?: string;
  readonly certificate?: { readonly cert: Buffer; readonly key: Buffer };
}

/** Starts an agent. */
export async function openEcho(
  agentId: string,
  { port = 0, host = "127.0.0.1", certificate }: EchoPlace = {},
): Promise<EchoAgent> {
  let code = status.OK;
  let hanging = false;
  const calls: string[] = [];
  const server = new Server();
  server.addService(ECHO, {
    say(call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) {
      calls.push(String(call.metadata.get("bourse-agent")[0]));
      if (hanging) return;
      if (code === status.OK) answer(null, `${agentId}: ${call.request}`);
      else answer({ code, details: "as told" });
    },
    // The first word only: the rest would come if the agent lived.
    sing(call: ServerWritableStream<string, string>) {
      call.write(agentId);
    },
  });
  const sockets = new Set<Socket>();
  const security =
    certificate === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { cert_chain: certificate.cert, private_key: certificate.key },
        ]);
  const injector = server.createConnectionInjector(security);
  // Connections that can be cut as they are when a process dies: grpc-js would say goodbye first.
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.listen(port, "127.0.0.1");
  await once(listener, "listening");
  const kill = (): void => {
    listener.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    agentId,
    uri: `${certificate === undefined ? "grpc" : "grpcs"}://${host}:${(listener.address() as AddressInfo).port}`,
    failWith: (told) => {
      code = told;
    },
    hang: () => {
      hanging = true;
    },
    kill,
    calls,
    async [Symbol.asyncDispose]() {
      kill();
      injector.destroy();
      server.forceShutdown();
    },
  };
}

const Stub = makeGenericClientConstructor(ECHO, "Echo");

interface Methods {
  say(
    this: Client,
    word: string,
    metadata: Metadata,
    limits: CallOptions,
    answered: (error: ServiceError | null, answer: string) => void,
  ): void;
  sing(this: Client, song: string): AsyncIterable<string>;
}

/**
 * An ordinary stub of the echo, as generated code would give it; with the retries of a service
 * config, if given one.
 */
export function echoStub(
  target: string,
  serviceConfig?: object,
  security = credentials.createInsecure(),
  others: ClientOptions = {},
) {
  const config = serviceConfig && { "grpc.service_config": JSON.stringify(serviceConfig) };
  const stub = new Stub(target, security, { ...config, ...others });
  const { say, sing } = stub as unknown as Methods;
  return {
    /** Who answered. */
    say: (word: string, { timeoutMs = 5_000, waitForReady = false } = {}) =>
      new Promise<string>((resolve, reject) => {
        const answered = (error: ServiceError | null, answer: string): void =>
          error === null ? resolve(answer.split(":")[0] ?? "") : reject(error);
        const metadata = new Metadata({ waitForReady });
        const limits = { deadline: Date.now() + timeoutMs };
        say.call(stub, word, metadata, limits, answered);
      }),
    sing: () => sing.call(stub, "la"),
    [Symbol.dispose]: () => stub.close(),
  };
}
