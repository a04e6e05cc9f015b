import { among, type Choice, type Choosing, countOf } from "./choice.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";

/**
 * Chooses the next in turn: the first after the one before, in the ring of ids. Undefined when nobody is eligible any
 * more.
 */
export async function nextInTurn(choosing: Choosing): Promise<Choice | undefined> {
  const { view, look, finding, agents, count, rotation, random } = choosing;
  const key = rotationKey(view);
  let chosen: Slot | undefined;
  let fault: unknown;
  for (;;) {
    const turn = await rotation.turn(key, (cursor) => {
      fault = undefined;
      try {
        chosen = nextOf(look(), cursor, random);
      } catch (error) {
        // A step must not throw. The turn is not taken then.
        fault = error;
        chosen = undefined;
      }
      return chosen === undefined ? undefined : agents.idOf(chosen);
    });
    if (fault !== undefined) throw fault;
    if (turn.cursor === undefined || chosen === undefined) return undefined;
    const [taken, { cursor, alone }] = [chosen, turn];
    // What has to be made for it is waited for here: whoever began anew would take another turn.
    const choice = await finding(() => {
      const view = look();
      // Who was chosen may have gone or changed while the turn was taken; then the next one is.
      if (agents.idOf(taken) !== cursor || !view.has(taken)) return undefined;
      return {
        chosen: taken,
        alternates: count === 1 ? [] : othersAfter(view, taken, cursor, count - 1),
        reason: `ROUND_ROBIN: next in turn ${among(view)}${alone ? ALONE : ""}`,
        ...countOf(view),
      };
    });
    if (choice !== undefined) return choice;
  }
}

const ALONE = "; Redis is away, so this replica counts its turns alone";

function nextOf(view: View, cursor: string | undefined, random: () => number): Slot | undefined {
  if (view.size === 0) return undefined;
  // Begun anywhere: else many filters, each used once, would all pick the first agent by id.
  return cursor === undefined ? view.any(random, []) : view.turnsAfter(cursor, 1)[0];
}

/** So many others whose turns come next. */
function othersAfter(view: View, chosen: Slot, agentId: string, count: number): Slot[] {
  // Where there are fewer, the last one in the ring is the chosen one again.
  return view.turnsAfter(agentId, count).filter((slot) => slot !== chosen);
}

/** The rotation of a filter: each filter goes round by itself, so that each is exact. */
export function rotationKey({ key }: View): string {
  return `select ${key}`;
}
