import { afterAll } from "vitest";
import { aDatabase, openRegistry } from "./registry.ts";

/** What a registry takes beside its database. */
export type RegistryOptions = Omit<Parameters<typeof openRegistry>[0], "url">;

/** A registry on a database of its own that all tests of the file share; both end with them. */
export async function registryForFile(options: RegistryOptions = {}) {
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());
  const database = stack.use(await aDatabase());
  const registry = stack.use(await openRegistry({ url: database.url, ...options }));
  return { database, registry };
}
