import { callerName } from "./caller.ts";
import type { Command } from "./command.ts";

/** Those who have lately told again what was done before. */
export interface Repeaters {
  /** Takes them for repeaters from now on, for a minute. */
  note(names: Iterable<string>): void;
  has(name: string): boolean;
  /** Whether there are none, which is how it nearly always is. */
  readonly isEmpty: boolean;
}

const WATCH_MS = 60_000;
const MOST = 10_000;

/** Starts with none; keeps at most 10,000, the last ones. `clock` is in ms and never goes back. */
export function createRepeaters(clock: () => number): Repeaters {
  // The one whose minute ends first comes first.
  const ends = new Map<string, number>();
  const drop = () => {
    const now = clock();
    for (const [name, end] of ends) {
      if (end > now && ends.size <= MOST) break;
      ends.delete(name);
    }
  };
  return {
    note(names) {
      for (const name of names) {
        ends.delete(name);
        ends.set(name, clock() + WATCH_MS);
      }
      drop();
    },
    has(name) {
      drop();
      return ends.has(name);
    },
    get isEmpty() {
      return ends.size === 0;
    },
  };
}

/** A command as those it is made of, when it is made of several. */
export function partsOf(command: Command): readonly Command[] {
  return command.kind === "linked" ? command.commands.flatMap(partsOf) : [command];
}

/**
 * Who repeats itself when this is told again. Agents tell of their own accounts only, so none can make
 * another pass for a repeater; of what a service tells again for one payer, its other payers feel nothing.
 */
export function tellerOf(command: Command): string {
  switch (command.kind) {
    case "record":
      return command.terms.payer;
    case "transfer":
      return command.owner;
    default:
      return "caller" in command ? callerName(command.caller) : "";
  }
}
