import { once } from "node:events";
import { poll } from "./poll.ts";

/** A CPU profile as V8 makes it; what is read of it. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** The node that each sample found. */
  readonly samples: readonly number[];
}

/** A function, and the share of the time that was spent in itself. */
export interface Hot {
  readonly name: string;
  readonly share: number;
}

const START_LIMIT_MS = 10_000;

/** Profiles the CPU of another Node process, which serves its inspector on `port`, while `work` is under way. */
export async function profileWhile(
  port: number,
  work: () => Promise<unknown>,
): Promise<CpuProfile> {
  const socket = new WebSocket(await debuggerUrl(port));
  await once(socket, "open");
  let lastId = 0;
  const command = async (method: string, params = {}) => {
    lastId += 1;
    const id = lastId;
    const answered = new Promise<{ result?: unknown; error?: unknown }>((resolve) => {
      const hear = ({ data }: MessageEvent) => {
        const said = JSON.parse(data);
        if (said.id !== id) return;
        socket.removeEventListener("message", hear);
        resolve(said);
      };
      socket.addEventListener("message", hear);
    });
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  };
  try {
    await command("Profiler.enable");
    await command("Profiler.start");
    await work();
    const { profile } = (await command("Profiler.stop")) as { profile: CpuProfile };
    return profile;
  } finally {
    socket.close();
  }
}

/**
 * The functions that the time was spent in, idle time left out, most first. Samples are counted: the time
 * between two is long where others had the processor, and that is nobody's work.
 */
export function hottest({ nodes, samples }: CpuProfile, most: number): readonly Hot[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  let all = 0;
  for (const node of samples) {
    const name = names.get(node) ?? "?";
    if (name === "(idle)") continue;
    all += 1;
    spent.set(name, (spent.get(name) ?? 0) + 1);
  }
  return [...spent]
    .map(([name, count]) => ({ name, share: count / all }))
    .sort((a, b) => b.share - a.share)
    .slice(0, most);
}

/** The function with the last two parts of its file's path. */
function nameOf({ functionName, url }: CpuProfile["nodes"][number]["callFrame"]): string {
  const file = url.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"}${file === "" ? "" : ` ${file}`}`;
}

async function debuggerUrl(port: number): Promise<string> {
  const attempt = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined);
    const targets = (await response?.json()) as { webSocketDebuggerUrl: string }[] | undefined;
    return targets?.[0]?.webSocketDebuggerUrl;
  };
  const url = await poll(attempt, { everyMs: 50, limitMs: START_LIMIT_MS });
  if (url === undefined) throw new Error(`no inspector on port ${port}`);
  return url;
}
