/** Gathers calls while the commit before them is under way, and commits them together. */
export interface GroupCommit<C, A> extends AsyncDisposable {
  /**
   * Resolves with the command's own answer once its batch is durable. A caller whose signal aborts before its batch
   * begins is rejected and nothing was done; afterwards the signal has no effect.
   * @throws what `onFull` makes when `queueMax` commands wait, and Error after disposal; then nothing was done
   */
  submit(command: C, options?: { readonly signal?: AbortSignal }): Promise<A>;
  /** How many commands wait for their batch to begin. */
  readonly waiting: number;
}

/** How to gather and commit. */
export interface GroupCommitOptions<C, A> {
  /** Does all commands or none, in order, and answers each; it is never called twice at once. */
  readonly commit: (commands: readonly C[]) => Promise<readonly A[]>;
  readonly batchMax: number;
  readonly queueMax: number;
  readonly onFull: (waiting: number) => Error;
  /** Whether the commands of a failed batch shall be tried one by one, so that one does not fail the others. */
  readonly divisible: (error: unknown) => boolean;
  /** Is told how many commands each batch bore, once it was tried; what it throws is ignored. */
  readonly onBatch?: (size: number) => void;
}

interface Entry<C, A> {
  readonly command: C;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
  readonly leave: () => void;
}

/** Starts with an empty queue; disposal lets what waits be committed first. */
export function createGroupCommit<C, A>(options: GroupCommitOptions<C, A>): GroupCommit<C, A> {
  const queue = new Set<Entry<C, A>>();
  let draining: Promise<void> | undefined;
  let closed = false;

  async function drain(): Promise<void> {
    // One turn of the event loop, so that calls which arrived together go together.
    await new Promise(setImmediate);
    while (queue.size > 0) {
      const batch = [...queue].slice(0, options.batchMax);
      for (const entry of batch) {
        queue.delete(entry);
        entry.leave();
      }
      await run(batch);
      tellSize(batch.length);
    }
    draining = undefined;
  }

  function tellSize(size: number): void {
    try {
      options.onBatch?.(size);
    } catch {
      // Whoever measures must not stop the queue.
    }
  }

  async function run(batch: readonly Entry<C, A>[]): Promise<void> {
    try {
      const answers = await options.commit(batch.map(({ command }) => command));
      if (answers.length !== batch.length) throw new Error("a batch has an answer too few or many");
      batch.forEach((entry, nth) => {
        entry.resolve(answers[nth] as A);
      });
    } catch (error) {
      if (batch.length > 1 && isDivisible(error)) {
        for (const entry of batch) await run([entry]);
      } else {
        for (const entry of batch) entry.reject(error);
      }
    }
  }

  function isDivisible(error: unknown): boolean {
    try {
      return options.divisible(error);
    } catch {
      // The first error is the one that its callers get.
      return false;
    }
  }

  return {
    get waiting() {
      return queue.size;
    },
    async submit(command, { signal } = {}) {
      if (closed) throw new Error("the group commit is closed");
      signal?.throwIfAborted();
      if (queue.size >= options.queueMax) throw options.onFull(queue.size);
      return new Promise<A>((resolve, reject) => {
        const onAbort = () => {
          queue.delete(entry);
          reject(signal?.reason);
        };
        const leave = () => signal?.removeEventListener("abort", onAbort);
        const entry: Entry<C, A> = { command, resolve, reject, leave };
        signal?.addEventListener("abort", onAbort, { once: true });
        queue.add(entry);
        draining ??= drain();
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await draining;
    },
  };
}
