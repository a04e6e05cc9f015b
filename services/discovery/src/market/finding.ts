import { Wanted } from "./view.ts";
import type { Views } from "./views.ts";

/**
 * Does what looks at views: at once if all are there, else again when what is wanted has been made. It must not do
 * anything before it has looked.
 */
export function finding<T>(views: Views, work: () => T | Promise<T>): T | Promise<T> {
  try {
    const done = work();
    if (!(done instanceof Promise)) return done;
    return done.catch((error: unknown) => findAgain(views, error, work));
  } catch (error) {
    if (error instanceof Wanted) return findAgain(views, error, work);
    throw error;
  }
}

async function findAgain<T>(views: Views, wanted: unknown, work: () => T | Promise<T>): Promise<T> {
  for (let error = wanted; ; ) {
    if (!(error instanceof Wanted)) throw error;
    using _made = await views.make(error);
    try {
      return await views.retry(work);
    } catch (other) {
      error = other;
    }
  }
}
