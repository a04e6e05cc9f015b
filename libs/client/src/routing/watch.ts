import { setTimeout as wait } from "node:timers/promises";
import type {
  WatchCandidatesRequestSchema,
  WatchCandidatesResponse,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { backoffMs, streamed } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Market } from "../connect.ts";

/** Follows what discovery says of a target. */
export interface Watch {
  start(): void;
  stop(): void;
  /** Asks for so many agents from now on. */
  widen(count: number): void;
  /** How many are asked for. */
  readonly count: number;
  /** Whether the last list is what discovery says now. */
  readonly isCurrent: boolean;
}

/** What a watch needs. */
export interface WatchOptions {
  readonly discovery: Pick<Market["discovery"], "watchCandidates">;
  /** What is asked, with how many agents at first. */
  readonly request: MessageInitShape<typeof WatchCandidatesRequestSchema> & { count: number };
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Is told each list; must not throw. */
  readonly onList: (list: WatchCandidatesResponse) => void;
  /** Is told each time that discovery is lost, or does not answer; must not throw. */
  readonly onAway: (error: ConnectError) => void;
}

/** Calls may be waiting for the first list, and there may be a last one to go on with. */
const FIRST_MS = 1_000;
/** A stream that lasted so long was a good one: the next is opened almost at once. */
const STEADY_MS = 5_000;

/**
 * A watch that has not been started. A lost stream is opened again, at another replica if there is one, after a pause
 * that grows up to 5 s; it begins where the last one began, so that the same agents are named.
 */
export function createWatch(options: WatchOptions): Watch {
  const { discovery, random, onList, onAway } = options;
  let { count } = options.request;
  let ringStart = "";
  let running: AbortController | undefined;
  let stream = new AbortController();
  let isCurrent = false;
  let isWidened = false;

  /** Reads one stream to its end; answers with why it ended. */
  async function read(): Promise<ConnectError> {
    const own = new AbortController();
    stream = own;
    const request = { ...options.request, count, ringStart };
    const open = (signal: AbortSignal) => discovery.watchCandidates(request, { signal });
    const late = new ConnectError("discovery does not answer", Code.DeadlineExceeded);
    const timer = setTimeout(() => own.abort(late), FIRST_MS);
    timer.unref();
    try {
      for await (const list of streamed(open, own.signal)) {
        if (own.signal.aborted) break;
        clearTimeout(timer);
        isCurrent = true;
        ringStart = list.ringStart;
        onList(list);
      }
      return new ConnectError("the stream has ended", Code.Unavailable);
    } catch (error) {
      return ConnectError.from(own.signal.reason === late ? late : error);
    } finally {
      clearTimeout(timer);
    }
  }

  async function run({ signal }: AbortController): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const sinceMs = performance.now();
      isWidened = false;
      const error = await read();
      if (signal.aborted) return;
      if (isWidened) attempt = 0;
      if (isWidened) continue;
      if (isCurrent && performance.now() - sinceMs >= STEADY_MS) attempt = 1;
      isCurrent = false;
      onAway(error);
      await wait(backoffMs(attempt, random), undefined, { signal, ref: false }).catch(() => {});
    }
  }

  return {
    get count() {
      return count;
    },
    get isCurrent() {
      return isCurrent;
    },
    start() {
      if (running !== undefined) return;
      running = new AbortController();
      void run(running);
    },
    stop() {
      running?.abort();
      running = undefined;
      stream.abort();
      isCurrent = false;
    },
    widen(wanted) {
      if (wanted <= count) return;
      count = wanted;
      isWidened = true;
      stream.abort();
    },
  };
}
