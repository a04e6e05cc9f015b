import { setTimeout as delay } from "node:timers/promises";
import { createWaitingLine } from "./waiting-line.ts";

/** What tells that somebody has lost interest: an AbortSignal, or what is cheaper to make for each call. */
export interface Cancellation {
  readonly aborted: boolean;
  /** What to reject with. */
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Gathers calls while the commits before them are under way, and commits them together. */
export interface GroupCommit<C, A> extends AsyncDisposable {
  /**
   * Resolves with the command's own answer once its batch is durable. A caller whose signal aborts before its batch
   * begins is rejected and nothing was done; afterwards the signal has no effect.
   * @throws what `onFull` makes when the queue has no room for it, and Error after disposal; then nothing was done
   */
  submit(command: C, options?: { readonly signal?: Cancellation }): Promise<A>;
  /** The weight of the commands that wait for their batch to begin. */
  readonly waiting: number;
}

/** How to gather and commit. */
export interface GroupCommitOptions<C, A> {
  /** Does all commands or none, in order, and answers each; at most `lanes` calls are under way at once. */
  readonly commit: (commands: readonly C[]) => Promise<readonly A[]>;
  /** Most weight of one batch; a command that is heavier by itself goes alone. */
  readonly batchMax: number;
  /** Most weight that may wait; a command that is heavier by itself may when nothing else does. */
  readonly queueMax: number;
  /**
   * How many batches may be under way at once; 1. With more, each takes an even share; they begin in the
   * order of submission, but may end in any: `commit` decides what order their effects have.
   */
  readonly lanes?: number;
  /**
   * Whether commits that are under way at once still run one behind the other; false. Then a batch begins beside
   * another only when it is no lighter than what is under way, or full: begun before, it would only wait there, with
   * fewer to share what each commit costs.
   */
  readonly isSerial?: boolean;
  /**
   * Least milliseconds from the beginning of a lane's batch of several commands to that of its next batch; 0. Under
   * load it makes batches larger and what they have in common rarer; who comes alone does not wait.
   */
  readonly paceMs?: number;
  /** What a command counts towards `batchMax` and `queueMax`: a whole number from 1, asked once; 1. */
  readonly weigh?: (command: C) => number;
  /** Makes the error for a command without room, from the weight that waits. */
  readonly onFull: (waiting: number) => Error;
  /** Whether the commands of a failed batch shall be tried one by one, so that one does not fail the others. */
  readonly divisible: (error: unknown) => boolean;
  /** Is told the weight of each batch, once it was tried; what it throws is ignored. */
  readonly onBatch?: (weight: number) => void;
}

interface Entry<C, A> {
  readonly command: C;
  readonly weight: number;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
  readonly begin: () => void;
}

/** Starts with an empty queue; disposal lets what waits be committed first. */
export function createGroupCommit<C, A>(options: GroupCommitOptions<C, A>): GroupCommit<C, A> {
  const { batchMax, queueMax, lanes = 1, isSerial = false, paceMs = 0, onBatch, onFull } = options;
  const line = createWaitingLine<Entry<C, A>>();
  const working = new Set<Promise<void>>();
  let busy = 0;
  let waiting = 0;
  let underway = 0;
  /** Of the batch that began last. */
  let lastWeight = 0;
  let closed = false;

  function startLane(): void {
    busy += 1;
    const lane = work().finally(() => working.delete(lane));
    working.add(lane);
  }

  async function work(): Promise<void> {
    for (;;) {
      // One turn of the event loop, so that calls which arrive together go together: also those of
      // callers who have just been answered.
      await new Promise(setImmediate);
      const startMs = performance.now();
      const batch = take();
      if (batch.length === 0) break;
      const weight = weightOf(batch);
      underway += weight;
      await run(batch, options);
      underway -= weight;
      tell(onBatch, weight);
      const restMs = batch.length > 1 && !closed ? paceMs - (performance.now() - startMs) : 0;
      if (restMs > 0) await delay(restMs);
    }
    // In the same breath as the last look, or whoever comes in between would wait for nobody.
    busy -= 1;
  }

  /** Whether a batch may begin now. */
  function isTime(): boolean {
    return !isSerial || waiting >= Math.min(underway, batchMax);
  }

  /**
   * Takes an even share of all that has no answer yet: else the lane that looks first would take
   * all, and the lanes would work in turn. Where those who were answered just now are not back yet, that
   * share is too small: of what is serial, as much as the batch before had goes together.
   */
  function take(): readonly Entry<C, A>[] {
    if (!isTime()) return [];
    const share = Math.ceil((waiting + underway) / lanes);
    const most = Math.min(batchMax, isSerial ? Math.max(share, lastWeight) : share);
    const batch: Entry<C, A>[] = [];
    let weight = 0;
    for (let place = line.first(); place !== undefined; place = line.first()) {
      const { value } = place;
      if (batch.length > 0 && weight + value.weight > most) break;
      line.leave(place);
      value.begin();
      batch.push(value);
      weight += value.weight;
    }
    waiting -= weight;
    lastWeight = weight;
    return batch;
  }

  return {
    get waiting() {
      return waiting;
    },
    submit(command, { signal } = {}) {
      // What is thrown in here rejects.
      return new Promise<A>((resolve, reject) => {
        if (closed) throw new Error("the group commit is closed");
        if (signal?.aborted) throw signal.reason;
        const weight = weigh(options, command);
        if (waiting > 0 && waiting + weight > queueMax) throw onFull(waiting);
        const onAbort = () => {
          line.leave(place);
          waiting -= weight;
          reject(signal?.reason);
        };
        const begin = () => signal?.removeEventListener("abort", onAbort);
        const place = line.join({ command, weight, resolve, reject, begin });
        signal?.addEventListener("abort", onAbort);
        waiting += weight;
        if (busy < lanes && isTime()) startLane();
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      while (working.size > 0) await Promise.all(working);
    },
  };
}

type Divisible<C, A> = Pick<GroupCommitOptions<C, A>, "commit" | "divisible">;

async function run<C, A>(batch: readonly Entry<C, A>[], options: Divisible<C, A>): Promise<void> {
  try {
    const answers = await options.commit(batch.map(({ command }) => command));
    if (answers.length !== batch.length) throw new Error("a batch has an answer too few or many");
    batch.forEach((entry, nth) => {
      entry.resolve(answers[nth] as A);
    });
  } catch (error) {
    if (batch.length > 1 && isDivisible(options, error)) {
      for (const entry of batch) await run([entry], options);
    } else {
      for (const entry of batch) entry.reject(error);
    }
  }
}

function isDivisible<C, A>({ divisible }: Divisible<C, A>, error: unknown): boolean {
  try {
    return divisible(error);
  } catch {
    // The first error is the one that its callers get.
    return false;
  }
}

function weigh<C, A>(options: Pick<GroupCommitOptions<C, A>, "weigh">, command: C): number {
  const weight = options.weigh?.(command) ?? 1;
  if (Number.isSafeInteger(weight) && weight > 0) return weight;
  throw new RangeError(`a command cannot weigh ${weight}`);
}

function weightOf(batch: readonly { readonly weight: number }[]): number {
  return batch.reduce((sum, { weight }) => sum + weight, 0);
}

function tell(onBatch: ((weight: number) => void) | undefined, weight: number): void {
  try {
    onBatch?.(weight);
  } catch {
    // Whoever measures must not stop the queue.
  }
}
