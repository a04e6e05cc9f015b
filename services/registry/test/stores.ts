import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterEach, test } from "vitest";
import { aClock } from "./registry.ts";

/** Empty without a Redis: its suites are then left out. */
export const REDIS_URL = process.env["REDIS_URL"] ?? "";

/** How a kind of store is opened. */
export interface StoreKind<S> {
  readonly memory: (options: { readonly now: () => Date }) => S;
  readonly redis: (options: {
    readonly url: string;
    readonly now: () => Date;
    readonly prefix: string;
  }) => Promise<S>;
}

/** A store and what another replica sees: with the store in memory there is only one. */
export interface OpenedStore<S> {
  readonly store: S;
  readonly other: S;
  readonly clock: ReturnType<typeof aClock>;
}

/** Opens stores of a kind for the tests of a file, and closes them after each. */
export function storesOf<S extends AsyncDisposable>(kind: StoreKind<S>) {
  const opened: S[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store[Symbol.asyncDispose]()));
  });

  function keep(store: S): S {
    opened.push(store);
    return store;
  }

  async function openMemory(): Promise<OpenedStore<S>> {
    const clock = aClock();
    const store = keep(kind.memory({ now: clock.now }));
    return { store, other: store, clock };
  }

  async function openRedis({ url = REDIS_URL, prefix = aPrefix() } = {}): Promise<OpenedStore<S>> {
    const clock = aClock();
    const open = () => kind.redis({ url, now: clock.now, prefix });
    const [store, other] = await Promise.all([open(), open()]);
    return { store: keep(store), other: keep(other), clock };
  }

  return { keep, openMemory, openRedis };
}

/** Says that suites in Redis are left out, when they are, and where a suite runs. */
export function placesOf<S>({
  openMemory,
  openRedis,
}: {
  readonly openMemory: () => Promise<OpenedStore<S>>;
  readonly openRedis: () => Promise<OpenedStore<S>>;
}) {
  if (REDIS_URL === "") test.skip("Redis: set REDIS_URL to run its suite", () => {});
  return [
    { name: "memory", open: openMemory },
    ...(REDIS_URL === "" ? [] : [{ name: "Redis", open: () => openRedis() }]),
  ];
}

/** What no other test's keys begin with. */
export function aPrefix(): string {
  return `test-${randomUUID()}`;
}

/** A connection to look at the keys. */
export function aRedis() {
  const client = new Redis(REDIS_URL);
  return { client, [Symbol.dispose]: () => client.disconnect() };
}
