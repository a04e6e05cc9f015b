import type { ChildProcess } from "node:child_process";
import type { Worker } from "node:cluster";

/** How `node:cluster` hands a connection to a worker, and how the worker answers whether it takes it. */
interface Handover {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: number;
  readonly ack?: number;
}

interface Handle {
  close(): void;
}

/**
 * Closes the connections that a worker was handed and had not taken when it died, so that their callers hear of it at
 * once and try again.
 *
 * `node:cluster` keeps a connection open until the worker has said whether it takes it, and a dead one never says: its
 * caller would wait to its deadline. There is no documented place to look after that, so this reads the messages of the
 * module itself; if another Node writes them otherwise, nothing is found in them and nothing is closed.
 */
export function closeUntaken(worker: Worker): void {
  const child: ChildProcess = worker.process;
  const untaken = new Map<number, Handle>();
  const send = child.send.bind(child) as (...parameters: readonly unknown[]) => boolean;
  child.send = (...parameters: readonly unknown[]) => {
    const [message, handle] = parameters as [Handover, Handle | undefined];
    const isHandover = message.cmd === "NODE_CLUSTER" && message.act === "newconn";
    if (isHandover && message.seq !== undefined && handle !== undefined) {
      untaken.set(message.seq, handle);
    }
    return send(...parameters);
  };
  child.on("internalMessage", ({ cmd, ack }: Handover) => {
    if (cmd === "NODE_CLUSTER" && ack !== undefined) untaken.delete(ack);
  });
  worker.once("exit", () => {
    if (untaken.size === 0) return;
    for (const handle of untaken.values()) handle.close();
    untaken.clear();
    // The module waits for the same answer before it strikes the worker off, and keeps the port open in its name.
    child.emit("disconnect");
  });
}
