import { expect } from "vitest";
import type { TestMarket } from "./market.ts";

/** Each takes a twentieth of a second where nothing else goes on. */
export const CHANGES_OF_A_SECOND = 20;

/**
 * Changes a profile, and again when discovery shows what it was changed to, until something is so; tells how many
 * changes that took. A clock that goes as the market does: it stands still while the machine stalls.
 */
export async function changesUntil(
  market: TestMarket,
  isSo: () => Promise<boolean>,
): Promise<number> {
  const { id: agentId, registry } = await market.agent("clock");
  for (let changes = 0; ; changes += 1) {
    if (await isSo()) return changes;
    const metadata = { clock: `${agentId}-${changes}` };
    await registry.updateAgent({
      agentId,
      profile: { metadata },
      updateMask: { paths: ["metadata"] },
    });
    const shown = () => market.operator.discovery.searchAgents({ filter: { metadata } });
    await expect.poll(async () => (await shown()).totalSize).toBe(1n);
  }
}
