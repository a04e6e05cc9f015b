import { among, type Choice, type Choosing } from "./choice.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";

/**
 * Chooses the next in turn: the first after the one before, in the ring of ids. Undefined when nobody is eligible any
 * more.
 */
export async function nextInTurn(choosing: Choosing): Promise<Choice | undefined> {
  const { view, look, agents, count, rotation, random } = choosing;
  const key = rotationKey(view);
  let chosen: Slot = -1;
  for (;;) {
    const turn = await rotation.turn(key, (cursor) => {
      const view = look();
      if (view.size === 0) return undefined;
      // Begun anywhere: else many filters, each used once, would all pick the first agent by id.
      const rank =
        cursor === undefined
          ? Math.floor(random() * view.size)
          : view.rankAfter(cursor) % view.size;
      chosen = view.at(rank);
      return agents.idOf(chosen);
    });
    if (turn.cursor === undefined) return undefined;
    const view = look();
    // Who was chosen may have gone or changed while the turn was taken; then the next one is.
    if (agents.idOf(chosen) !== turn.cursor || !view.has(chosen)) continue;
    return {
      chosen,
      alternates: count === 1 ? [] : ring(view, turn.cursor, Math.min(count, view.size) - 1),
      reason: `ROUND_ROBIN: next in turn ${among(view)}${turn.alone ? ALONE : ""}`,
      eligibleCount: view.size,
    };
  }
}

const ALONE = "; Redis is away, so this replica counts its turns alone";

/** So many agents whose turns come after that of `agentId`, in order. */
export function ring(view: View, agentId: string, count: number): Slot[] {
  const after = view.rankAfter(agentId);
  return Array.from({ length: count }, (_, index) => view.at((after + index) % view.size));
}

/** The rotation of a filter: each filter goes round by itself, so that each is exact. */
export function rotationKey({ key }: View): string {
  return `select ${key}`;
}
