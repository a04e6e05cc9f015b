/** A process that runs. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<unknown>;
  stop(): Promise<unknown>;
}

/** A process that is started again, whenever it dies, until it is disposed of. */
export interface Kept extends AsyncDisposable {
  /** Ends it with SIGKILL, wherever it is. */
  kill(): void;
}

/** Starts a process and keeps it running. */
export async function keepRunning(start: () => Promise<Running>): Promise<Kept> {
  let running = await start();
  let stopping = false;
  const kept = keep();

  async function keep(): Promise<void> {
    for (;;) {
      await running.exited;
      if (stopping) return;
      running = await start();
      if (stopping) await running.stop();
    }
  }

  return {
    kill: () => void process.kill(running.pid, "SIGKILL"),
    async [Symbol.asyncDispose]() {
      stopping = true;
      await running.stop();
      await kept;
    },
  };
}
