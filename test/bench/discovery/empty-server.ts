import { Server, ServerCredentials, type UntypedHandleCall } from "@grpc/grpc-js";
import { answerAsks } from "../companion.ts";

// The peer of `./bourse bench discovery`: a grpc-js server that does nothing. Whatever it is asked on
// its path, it answers with so many bytes, which are neither read nor made anew.

/** What is asked of it. */
export type EmptyRequest =
  /** Serve these paths; answers with the port. */
  | { readonly ask: "serve"; readonly paths: readonly string[] }
  /** From now on answer with so many bytes. */
  | { readonly ask: "answer"; readonly bytes: number }
  /** Answers with what it has done so far. */
  | { readonly ask: "usage" };

/** What a server has done since it began. */
export interface Usage {
  readonly calls: number;
  readonly cpuSeconds: number;
}

const as = (bytes: Buffer): Buffer => bytes;
let answer = Buffer.alloc(0);
let calls = 0;

async function serve(paths: readonly string[]): Promise<number> {
  const server = new Server();
  const handle: UntypedHandleCall = (_call: unknown, answered: (e: null, b: Buffer) => void) => {
    calls += 1;
    answered(null, answer);
  };
  const method = {
    requestStream: false,
    responseStream: false,
    requestSerialize: as,
    requestDeserialize: as,
    responseSerialize: as,
    responseDeserialize: as,
  };
  server.addService(
    Object.fromEntries(paths.map((path) => [path, { ...method, path }])),
    Object.fromEntries(paths.map((path) => [path, handle])),
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

answerAsks<EmptyRequest>((request) => {
  if (request.ask === "serve") return serve(request.paths);
  if (request.ask === "answer") answer = Buffer.alloc(request.bytes);
  const { user, system } = process.cpuUsage();
  return { calls, cpuSeconds: (user + system) / 1e6 } satisfies Usage;
});
