import type { ContextKey, ContextValues } from "@connectrpc/connect";
import { type Principal, principalKey } from "./principal.ts";
import { requestIdKey, traceIdKey } from "./trace.ts";

/** What is known of every call. */
interface Known {
  readonly principal: Principal;
  readonly requestId: string;
  readonly traceId: string;
}

/** The context values of a call; what is known of every call is not put in, but read from it. */
export class CallValues implements ContextValues {
  readonly #known: Known;
  #others: Map<symbol, unknown> | undefined;

  constructor(known: Known) {
    this.#known = known;
  }

  get<T>(key: ContextKey<T>): T {
    const { id } = key;
    if (this.#others?.has(id)) return this.#others.get(id) as T;
    if (id === principalKey.id) return this.#known.principal as T;
    if (id === requestIdKey.id) return this.#known.requestId as T;
    if (id === traceIdKey.id) return this.#known.traceId as T;
    return key.defaultValue;
  }

  set<T>(key: ContextKey<T>, value: T): this {
    this.#others ??= new Map();
    this.#others.set(key.id, value);
    return this;
  }

  delete(key: ContextKey<unknown>): this {
    return this.set(key, key.defaultValue);
  }
}
