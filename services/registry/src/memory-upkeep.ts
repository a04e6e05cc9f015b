import { LOOK_MS } from "./availability-store.ts";

const FORGET_EVERY_MS = 60_000;

/** What a store in memory does by the clock, until it is disposed of: looks for what is due, forgets what is old. */
export function createUpkeep(look: () => void, forgetOld: () => void): AsyncDisposable {
  const timers = [setInterval(look, LOOK_MS), setInterval(forgetOld, FORGET_EVERY_MS).unref()];
  return {
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
