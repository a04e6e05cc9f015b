import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
/** Whatever can be scraped. */
export interface Scraped {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** The HTTP port on which a process shows its metrics. */
export interface MetricsServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * Serves `GET /metrics` (Prometheus text) and `GET /healthz` (200 while the process lives) over
 * HTTP. Listens on `host:port`, where port 0 means a free one; rejects when the port is taken.
 */
export async function serveMetrics(options: {
  readonly listen: string;
  readonly registry: Scraped;
}): Promise<MetricsServer> {
  const { listen, registry } = options;
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") answer(response, 405, "GET only");
    else if (path === "/healthz") answer(response, 200, "ok");
    else if (path === "/metrics") void scrape(registry, response);
    else answer(response, 404, "try /metrics or /healthz");
  });
  const colon = listen.lastIndexOf(":");
  const host = listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  server.listen(Number(listen.slice(colon + 1)), host);
  try {
    await once(server, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the port is taken" : message;
    throw new Error(`cannot serve metrics on ${listen}: ${why}`, { cause: error });
  }
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function scrape(registry: Scraped, response: ServerResponse): Promise<void> {
  try {
    const text = await registry.metrics();
    response.writeHead(200, { "content-type": registry.contentType }).end(text);
  } catch {
    answer(response, 500, "the metrics could not be read");
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}
