import { answerAsks } from "./companion.ts";
import { LoadedConnection } from "./h2-connection.ts";
import type { LoadMeasure } from "./h2load.ts";

// Puts calls on a server, each with another message, which h2load cannot: it says the same over and over.

/** What is asked of it: calls for so long, of which the first part is not measured. Messages are in Base64. */
export interface VariedRequest {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly token: string | undefined;
  readonly messages: readonly string[];
  readonly connections: number;
  readonly streams: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

async function call(request: VariedRequest): Promise<LoadMeasure> {
  const { host, port, path, token, connections, streams, warmUpMs, measuredMs } = request;
  const messages = request.messages.map((text) => Buffer.from(text, "base64"));
  const tookMs: number[] = [];
  let isMeasured = false;
  let nth = 0;
  const load = {
    host,
    port,
    path,
    token,
    streams,
    next: () => messages[nth++ % messages.length] as Buffer,
    onAnswer(ms: number) {
      if (isMeasured) tookMs.push(ms);
    },
  };
  const open = Array.from({ length: connections }, () => new LoadedConnection(load));
  const broken = Promise.all(open.map(({ closed }) => closed));
  const wait = (ms: number) => Promise.race([broken, new Promise((go) => setTimeout(go, ms))]);
  try {
    await wait(warmUpMs);
    isMeasured = true;
    const begunMs = performance.now();
    await wait(measuredMs);
    const seconds = (performance.now() - begunMs) / 1_000;
    return { calls: tookMs.length, perSecond: tookMs.length / seconds, tookMs };
  } finally {
    for (const connection of open) connection.close();
    await broken;
  }
}

answerAsks<VariedRequest>(call);
