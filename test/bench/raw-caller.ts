import { Client, credentials, Metadata } from "@grpc/grpc-js";

/** Makes unary gRPC calls with messages that are encoded already, so that the caller costs little. */
export interface RawCaller extends Disposable {
  /** Answers with the message as it came. @throws ServiceError when the call failed */
  call(path: string, message: Uint8Array): Promise<Uint8Array>;
}

const TIMEOUT_MS = 120_000;
const asBuffer = ({ buffer, byteOffset, length }: Uint8Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, length);
const as = (bytes: Buffer): Buffer => bytes;

/** Calls the server at an address. */
export function rawCaller(address: string, token?: string): RawCaller {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return {
    call: (path, message) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + TIMEOUT_MS };
        client.makeUnaryRequest(path, asBuffer, as, message, metadata, options, (error, answer) => {
          if (error !== null) reject(error);
          else resolve(answer ?? Buffer.alloc(0));
        });
      }),
    [Symbol.dispose]: () => client.close(),
  };
}
