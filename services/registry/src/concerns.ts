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
  readonly store: Pick<RegistryStore, "listLeased">;
  readonly atOnce: number;
  readonly wake: () => void;
  readonly onFault: (error: unknown) => void;
}): Concerns {
  const { store, atOnce } = options;
  const agentIds = new Set<string>();
  /** Where the walk over all agents with a lease stands; undefined when none is under way. */
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
      const leased = await store.listLeased(from, atOnce);
      // Heard once more meanwhile: then it starts again.
      if (walkedTo === from) walkedTo = leased.length < atOnce ? undefined : leased.at(-1);
      return leased;
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
        const leased = await walk(walkedTo);
        if (walkedTo !== undefined) wakeSoon();
        if (leased.length > 0) return leased;
      }
      const taken = [...agentIds].slice(0, atOnce);
      for (const agentId of taken) agentIds.delete(agentId);
      if (agentIds.size > 0) wakeSoon();
      return taken;
    },
    isEmpty: () => walkedTo === undefined && agentIds.size === 0,
    end: () => clearTimeout(timer),
  };
}
