import type { AvailabilityChange } from "./availability-store.ts";
import { type Crowd, createCrowd, EVERYBODY } from "./crowd.ts";
import type { RegistryStore } from "./store.ts";

/** The agents whose availability one watcher still has to be told, each once however often it changed. */
export interface Concerns {
  hear(change: AvailabilityChange): void;
  /** Takes some of them out; none when there are none. */
  take(): Promise<readonly string[]>;
  isEmpty(): boolean;
  end(): void;
}

/** Bundles what comes in quick succession. */
const WAKE_MS = 50;
/** So many agents are kept by name for a watcher that does not take them; more are a crowd. */
const NAMED_MAX = 5_000;
/** Ids of registered agents that are listed at once. */
const LISTED = 5_000;

/**
 * Collects changes for a watcher and wakes it, at most 20 times a second. What is kept for it is bounded: when those
 * who changed are too many, a walk over all registered agents finds them again. What is heard during a walk waits for
 * its end, so that a walk always ends.
 */
export function createConcerns(options: {
  readonly store: Pick<RegistryStore, "listRegistered">;
  readonly atOnce: number;
  readonly wake: () => void;
  readonly onFault: (error: unknown) => void;
}): Concerns {
  const { store, atOnce } = options;
  const named = new Set<string>();
  /** Whom the next walk is to find; undefined while they can be named. */
  let crowd: Crowd | undefined;
  let walk: { readonly crowd: Crowd; at: string } | undefined;
  /** Those whom the walk has come by. */
  let found: string[] = [];
  let timer: NodeJS.Timeout | undefined;

  function wakeSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      options.wake();
    }, WAKE_MS);
  }

  function hearOf(agentId: string): void {
    if (crowd === undefined) named.add(agentId);
    else crowd.add(agentId);
    if (named.size > NAMED_MAX) gather(createCrowd(named));
  }

  function gather(many: Crowd): void {
    crowd = many;
    named.clear();
  }

  function beginWalk(): typeof walk {
    const begun = crowd && { crowd, at: "" };
    crowd = undefined;
    return begun;
  }

  async function walkOn(): Promise<string[]> {
    for (;;) {
      walk ??= beginWalk();
      if (walk === undefined) return [];
      const { crowd: sought, at } = walk;
      const registered = await store.listRegistered(at, LISTED).catch((error: unknown) => {
        options.onFault(error);
        throw error;
      });
      const last = registered.length < LISTED ? undefined : registered.at(-1);
      walk = last === undefined ? undefined : { crowd: sought, at: last };
      const some = registered.filter(sought.mayHold);
      if (some.length > 0) return some;
    }
  }

  function takeNamed(): readonly string[] {
    // Not all are looked at: they may be thousands.
    const taken: string[] = [];
    for (const agentId of named) {
      if (taken.length === atOnce) break;
      taken.push(agentId);
      named.delete(agentId);
    }
    return taken;
  }

  const isEmpty = () =>
    named.size === 0 && crowd === undefined && walk === undefined && found.length === 0;

  return {
    hear(change) {
      if (change.kind === "all") gather(EVERYBODY);
      else for (const agentId of change.agentIds) hearOf(agentId);
      wakeSoon();
    },
    async take() {
      if (found.length === 0) found = await walkOn();
      const taken = found.length > 0 ? found.splice(0, atOnce) : takeNamed();
      if (!isEmpty()) wakeSoon();
      return taken;
    },
    isEmpty,
    end: () => clearTimeout(timer),
  };
}
