import { AggregatorRegistry, type Registry } from "prom-client";
import type { Scraped } from "./serve-metrics.ts";

/** In a worker of `node:cluster`: lets the primary process read this registry. */
export function shareMetrics(registry: Registry): void {
  AggregatorRegistry.setRegistries(registry);
  // Made for what its making does: this process then answers the primary.
  new AggregatorRegistry();
}

/**
 * In the primary process: the metrics of all workers as one. Counts and distributions are summed; a
 * gauge that is read when it is scraped shows the largest reading, since all look at the same world.
 */
export function gatheredMetrics(): Scraped {
  const gathered = new AggregatorRegistry();
  return { contentType: gathered.contentType, metrics: () => gathered.clusterMetrics() };
}
