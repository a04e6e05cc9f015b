import { SHARDS } from "./shards.ts";

/** Looks at every shard. */
export interface Look {
  /** From one look to the next, in milliseconds. */
  readonly pauseMs: number;
  /** May fail: then it is tried again. */
  lookAt(shard: number): Promise<void>;
  /** Called after each look, with what was seen until then. */
  tell(): void;
}

/**
 * Looks at all shards again and again until disposed of; resolves after the first look. A shard that does not answer is
 * not asked anew meanwhile, and keeps nobody from hearing of the others.
 */
export async function keepLooking({ pauseMs, lookAt, tell }: Look): Promise<AsyncDisposable> {
  const underWay = new Map<number, Promise<void>>();
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;

  function begin(shard: number): Promise<void> {
    const running = underWay.get(shard);
    if (running !== undefined) return running;
    const look = lookAt(shard)
      .catch(() => {})
      .finally(() => underWay.delete(shard));
    underWay.set(shard, look);
    return look;
  }

  const lookAtAll = () => Promise.all(Array.from({ length: SHARDS }, (_, shard) => begin(shard)));

  async function pauseOr(over: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, pauseMs);
    await Promise.race([promise, over]);
    clearTimeout(timer);
  }

  // Where Redis can be read, watchers begin with what it knows.
  await lookAtAll();
  tell();
  const loop = (async () => {
    while (!isStopping) {
      await pauseOr(stopping.promise);
      await pauseOr(lookAtAll());
      tell();
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      isStopping = true;
      stopping.resolve();
      await loop;
      await Promise.all(underWay.values());
    },
  };
}
