import { openNotebook } from "./notebook.ts";

// A notebook in a process of its own: tells its address, then on each message how many bytes it holds.

const book = await openNotebook(
  {
    async *list() {
      for (const blob = new Uint8Array(100_000); ; ) yield { blob };
    },
  },
  { drainMs: 50 },
);

process.on("message", () => {
  for (let time = 0; time < 3; time += 1) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
process.once("disconnect", () => book[Symbol.asyncDispose]());
process.send?.(book.server.address);
