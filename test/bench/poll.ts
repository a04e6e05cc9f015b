import { setInterval } from "node:timers/promises";

/**
 * Tries at once and then again and again until an attempt has an outcome; undefined when none had within
 * the limit. @throws what an attempt throws, and the signal's reason
 */
export async function poll<T>(
  attempt: () => Promise<T | undefined>,
  options: { readonly everyMs: number; readonly limitMs: number; readonly signal?: AbortSignal },
): Promise<T | undefined> {
  const { everyMs, limitMs, signal } = options;
  const deadline = performance.now() + limitMs;
  let outcome = await attempt();
  if (outcome !== undefined) return outcome;
  for await (const _tick of setInterval(everyMs)) {
    signal?.throwIfAborted();
    outcome = await attempt();
    if (outcome !== undefined || performance.now() > deadline) break;
  }
  return outcome;
}
