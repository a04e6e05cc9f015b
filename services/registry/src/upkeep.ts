import { keepTidy, type Pool } from "@bourse/postgres";
import type { ServiceContext } from "@bourse/service";
import { keepRanked } from "./ranker.ts";
import type { RegistryStore } from "./store.ts";

/** Forgets old requests and reckons old places anew for as long as the service runs. */
export function keepUp(
  { defer, now }: Pick<ServiceContext, "defer" | "now">,
  pool: Pool,
  store: RegistryStore,
  onFault: (error: unknown, what: string) => void,
): void {
  defer(keepTidy({ pool, onFault: (error) => onFault(error, "old requests stay for now") }));
  const onStale = (error: unknown) => onFault(error, "places on leaderboards stay for now");
  defer(keepRanked({ store, now, onFault: onStale }));
}
