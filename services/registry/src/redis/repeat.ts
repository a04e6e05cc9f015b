/** Runs `work` again and again, `pauseMs` after it ended, well or badly, until disposed of. */
export function repeat(pauseMs: number, work: () => Promise<void>): AsyncDisposable {
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;
  const loop = (async () => {
    while (!isStopping) {
      await work().catch(() => {});
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, pauseMs);
      await Promise.race([promise, stopping.promise]);
      clearTimeout(timer);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      isStopping = true;
      stopping.resolve();
      await loop;
    },
  };
}
