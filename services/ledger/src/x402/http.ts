import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isOutage } from "@bourse/postgres";
import { Rejection } from "@bourse/rpc/rejection";
import type { Facilitator, Reply } from "./facilitator.ts";
import type { Code } from "./verdict.ts";

/** A request that the facilitator's port has answered. */
export interface FinishedRequest {
  /** `verify`, `settle` or `supported`; `other` for what is not there. */
  readonly operation: string;
  readonly status: number;
  /** `ok`, or the error code that was answered. */
  readonly outcome: string;
  readonly durationMs: number;
  /** What was thrown, when the answer is an error of our own. */
  readonly error?: unknown;
}

/** The HTTP port of the facilitator. */
export interface FacilitatorPort extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

/** A payment weighs about a kilobyte. */
const BODY_BYTES_MAX = 64 * 1_024;
const REQUEST_MS_MAX = 30_000;

/**
 * Serves POST /verify, POST /settle and GET /supported over HTTP, on `host:port`, where port 0 is a
 * free one. A body that cannot be read as a request is 400, one of more than 64 KiB 413; a ledger
 * that is busy or away is 503 with Retry-After, a bug 500. All else is 200, with the verdict in the
 * body. Rejects when the port is taken.
 */
export async function serveFacilitator(options: {
  readonly listen: string;
  readonly facilitator: Facilitator;
  readonly onFinished: (request: FinishedRequest) => void;
}): Promise<FacilitatorPort> {
  const { listen, facilitator, onFinished } = options;
  const server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
    const startedMs = performance.now();
    void answer(facilitator, request, response).then((finished) =>
      onFinished({ ...finished, durationMs: performance.now() - startedMs }),
    );
  });
  const colon = listen.lastIndexOf(":");
  const host = listen.slice(0, colon);
  server.listen(Number(listen.slice(colon + 1)), host.replace(/^\[(.*)\]$/, "$1"));
  try {
    await once(server, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the port is taken" : message;
    throw new Error(`cannot serve x402 on ${listen}: ${why}`, { cause: error });
  }
  return {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      // Requests in flight are answered; connections are closed once they wait for another one.
      server.keepAliveTimeout = 1;
      server.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}

type Finished = Omit<FinishedRequest, "durationMs">;

async function answer(
  facilitator: Facilitator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Finished> {
  const path = request.url?.split("?")[0] ?? "";
  const operation = path.slice(1);
  if (path === "/supported") {
    if (request.method !== "GET") return refuse(response, operation, 405, "GET");
    return send(response, operation, 200, facilitator.supported(), "ok");
  }
  if (path !== "/verify" && path !== "/settle") return refuse(response, "other", 404);
  if (request.method !== "POST") return refuse(response, operation, 405, "POST");
  const isVerify = path === "/verify";
  const empty = isVerify
    ? (code: Code) => ({ isValid: false, invalidReason: code })
    : (code: Code) => ({ success: false, errorReason: code, transaction: "", network: "" });
  try {
    const body = await readBody(request);
    if (body === undefined) {
      response.setHeader("connection", "close");
      return send(response, operation, 413, empty("invalid_payload"), "invalid_payload");
    }
    const reply = await (isVerify ? facilitator.verify(body.json) : facilitator.settle(body.json));
    return sendReply(response, operation, reply);
  } catch (error) {
    if (!request.complete) return { operation, status: 400, outcome: "aborted" };
    const code = isVerify ? "unexpected_verify_error" : "unexpected_settle_error";
    const isPassing = error instanceof Rejection || isOutage(error);
    if (isPassing) response.setHeader("retry-after", "1");
    const finished = send(response, operation, isPassing ? 503 : 500, empty(code), code);
    return isPassing ? finished : { ...finished, error };
  }
}

function sendReply(
  response: ServerResponse,
  operation: string,
  { body, fault }: Reply<object>,
): Finished {
  const status = fault?.malformed === true ? 400 : 200;
  return send(response, operation, status, body, fault?.code ?? "ok");
}

/** The body as JSON (undefined when it is none), or undefined altogether when it is too long. */
async function readBody(request: IncomingMessage): Promise<{ readonly json: unknown } | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed on return: who sent too much is told so.
  const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of parts) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  try {
    return { json: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown };
  } catch {
    return { json: undefined };
  }
}

function refuse(
  response: ServerResponse,
  operation: string,
  status: 404 | 405,
  allowed?: string,
): Finished {
  if (allowed !== undefined) response.setHeader("allow", allowed);
  const text = status === 404 ? "try /verify, /settle or /supported" : `${allowed} only`;
  return send(response, operation, status, { error: text }, String(status));
}

function send(
  response: ServerResponse,
  operation: string,
  status: number,
  body: object,
  outcome: string,
): Finished {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
  return { operation, status, outcome };
}
