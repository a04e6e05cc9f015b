import cluster, { type Worker } from "node:cluster";
import { EventEmitter, once } from "node:events";

/** The workers that share a port with this process, itself among them; of a process alone there are none. */
export interface Siblings {
  /** Whether one of them is ready, as far as is known here. */
  readonly areReady: boolean;
  /** Calls back when that has changed. */
  onChange(callback: () => void): void;
  /** Tells them that this one is ready, until it is disposed or dies. */
  announce(): Disposable;
}

/** From a worker: whether it is ready. To a worker: whether one of all is. */
interface Readiness {
  readonly about: "readiness";
  readonly isReady: boolean;
}

/** Asks how the siblings are, and follows what becomes of them. */
export async function meetSiblings(): Promise<Siblings> {
  const changes = new EventEmitter();
  let areReady = false;
  function tell(isReady: boolean): void {
    if (cluster.worker !== undefined) send(cluster.worker, isReady);
  }

  if (cluster.isWorker) {
    process.on("message", (message) => {
      if (!isReadiness(message)) return;
      areReady = message.isReady;
      changes.emit("change");
    });
    const told = once(changes, "change");
    tell(false);
    await told;
  }
  return {
    get areReady() {
      return areReady;
    },
    onChange: (callback) => changes.on("change", callback),
    announce() {
      tell(true);
      return { [Symbol.dispose]: () => tell(false) };
    },
  };
}

/** Which workers are ready, in the process that looks after them. */
export interface Readied {
  /** Whether one of them is. */
  readonly isAny: boolean;
}

/** In the process that looks after workers: tells each whether one of all is ready. */
export function relayReadiness(): Readied {
  const ready = new Set<number>();

  function note(worker: Worker, isReady: boolean): void {
    const wasAny = ready.size > 0;
    if (isReady) ready.add(worker.id);
    else ready.delete(worker.id);
    const isAny = ready.size > 0;
    const concerned = isAny === wasAny ? [worker] : Object.values(cluster.workers ?? {});
    for (const each of concerned) if (each !== undefined) send(each, isAny);
  }

  cluster.on("message", (worker, message: unknown) => {
    // What it said last may come in after its end.
    if (isReadiness(message)) note(worker, message.isReady && !worker.isDead());
  });
  cluster.on("exit", (worker) => note(worker, false));
  return {
    get isAny() {
      return ready.size > 0;
    },
  };
}

function send(worker: Worker, isReady: boolean): void {
  const message: Readiness = { about: "readiness", isReady };
  // One that cannot be told is ending.
  if (worker.isConnected()) worker.send(message, () => {});
}

function isReadiness(message: unknown): message is Readiness {
  return (message as Partial<Readiness> | null)?.about === "readiness";
}
