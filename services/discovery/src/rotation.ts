import { hash } from "node:crypto";

/** Moves a cursor: is told where it stands (undefined: nowhere yet) and answers where it goes (undefined: it stays). */
export type Step = (cursor: string | undefined) => string | undefined;

/** Where a rotation stands after a turn. */
export interface Turn {
  /** Undefined when the step had nowhere to go. */
  readonly cursor: string | undefined;
  /** The cursor that is shared with other replicas was out of reach; this process counted alone. */
  readonly alone: boolean;
}

/** Cursors that go round, one per key. */
export interface Rotation {
  /**
   * Takes a turn: no two turns of a key step from the same cursor, whoever takes them. `step` may be asked again when
   * another was faster, so it must not do anything but answer, and must not throw.
   */
  turn(key: string, step: Step): Promise<Turn>;
  /** Where a rotation stands; takes no turn. */
  peek(key: string): Promise<Turn>;
}

/** What is kept of a key: the same for equal keys, and short however long the key is. */
export function digestOf(key: string): string {
  return hash("sha256", key, "base64url").slice(0, 22);
}
