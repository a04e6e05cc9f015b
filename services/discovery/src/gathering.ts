import { setImmediate } from "node:timers/promises";
import type { Step, Turn } from "./rotation.ts";

/** Takes the turns of one key, in order, and answers with one turn per step. */
export type TakeAll = (key: string, steps: readonly Step[]) => Promise<readonly Turn[]>;

/** A turn that somebody waits for. */
interface Waiting {
  readonly step: Step;
  readonly resolve: (turn: Turn) => void;
  readonly reject: (error: unknown) => void;
}

/** So many go together: a lost attempt is made again, and must not cost more than a moment. */
const TOGETHER_MAX = 512;

/**
 * Gathers the turns of a key that are asked while the ones before are under way, and takes them all at once. Keys do
 * not wait for each other. Holds nothing of a key for which nobody waits.
 */
export function gathering(takeAll: TakeAll): (key: string, step: Step) => Promise<Turn> {
  const waiting = new Map<string, Waiting[]>();

  async function serve(key: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      // What has arrived together goes together: the rest of it is read before this goes on.
      await setImmediate();
      const batch = queue.splice(0, TOGETHER_MAX);
      try {
        const turns = await takeAll(
          key,
          batch.map(({ step }) => step),
        );
        for (const [nth, { resolve }] of batch.entries()) resolve(turns[nth] as Turn);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    waiting.delete(key);
  }

  return (key, step) =>
    new Promise((resolve, reject) => {
      const queue = waiting.get(key);
      if (queue !== undefined) {
        queue.push({ step, resolve, reject });
        return;
      }
      const first = [{ step, resolve, reject }];
      waiting.set(key, first);
      void serve(key, first);
    });
}

/** Where a cursor goes by several steps, one after the other: after each, and in the end. */
export function walk(
  from: string | undefined,
  steps: readonly Step[],
): { readonly cursors: readonly (string | undefined)[]; readonly end: string | undefined } {
  let end = from;
  const cursors = steps.map((step) => {
    const cursor = step(end);
    end = cursor ?? end;
    return cursor;
  });
  return { cursors, end };
}
