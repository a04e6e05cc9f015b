import type { AvailabilityChange } from "./availability-store.ts";
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

/** Collects changes for a watcher and wakes it, at most 20 times a second. */
export function createConcerns(options: {
  readonly store: Pick<RegistryStore, "listRegistered">;
  readonly atOnce: number;
  readonly wake: () => void;
  readonly onFault: (error: unknown) => void;
}): Concerns {
  const { store, atOnce } = options;
  const agentIds = new Set<string>();
  /** Where the walk over all registered agents stands; undefined when none is under way. */
  let walkedTo: string | undefined;
  let timer: NodeJS.Timeout | undefined;

  function wakeSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      options.wake();
    }, WAKE_MS);
  }

  async function walk(from: string): Promise<readonly string[]> {
    try {
      const registered = await store.listRegistered(from, atOnce);
      // Heard once more meanwhile: then it starts again.
      if (walkedTo === from) walkedTo = registered.length < atOnce ? undefined : registered.at(-1);
      return registered;
    } catch (error) {
      options.onFault(error);
      throw error;
    }
  }

  return {
    hear(change) {
      if (change.kind === "all") walkedTo = "";
      else for (const agentId of change.agentIds) agentIds.add(agentId);
      wakeSoon();
    },
    async take() {
      if (walkedTo !== undefined) {
        const registered = await walk(walkedTo);
        if (walkedTo !== undefined) wakeSoon();
        if (registered.length > 0) return registered;
      }
      // Not all are looked at: they may be a million.
      const taken: string[] = [];
      for (const agentId of agentIds) {
        if (taken.length === atOnce) break;
        taken.push(agentId);
        agentIds.delete(agentId);
      }
      if (agentIds.size > 0) wakeSoon();
      return taken;
    },
    isEmpty: () => walkedTo === undefined && agentIds.size === 0,
    end: () => clearTimeout(timer),
  };
}
