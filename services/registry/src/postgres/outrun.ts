import { violated } from "@bourse/postgres";

/** How often work that others outrun is begun, at most. */
const ATTEMPTS = 4;

/** Keys that two transactions may both find free: the second waits for the first, and is refused. */
const OUTRUN: ReadonlySet<string | undefined> = new Set(["agents_pkey", "requests_pkey"]);

/**
 * Runs a transaction again when another one registered such an agent, or answered such a request, after it was looked
 * for: then it is there.
 */
export async function unlessOutrun<T>(transact: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transact();
    } catch (error) {
      if (!OUTRUN.has(violated(error)) || attempt === ATTEMPTS) throw error;
    }
  }
}
