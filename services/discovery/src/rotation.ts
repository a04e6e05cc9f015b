/** Moves a cursor: is told where it stands (undefined: nowhere yet) and answers where it goes. */
export type Step = (cursor: string | undefined) => string;

/** Where a rotation stands after a turn. */
export interface Turn {
  readonly cursor: string;
  /** The cursor that is shared with other replicas was out of reach; this process counted alone. */
  readonly alone: boolean;
}

/** Cursors that go round, one per key. */
export interface Rotation {
  /**
   * Takes a turn: no two turns of a key step from the same cursor, whoever takes them. `step` may be asked again when
   * another was faster, so it must not do anything but answer.
   */
  turn(key: string, step: Step): Promise<Turn>;
}

/** Agents stand in a ring by id: orders them from the first after `cursor`, round to the cursor itself. */
export function ringFrom(
  cursor: string,
): (a: { readonly agentId: string }, b: { readonly agentId: string }) => number {
  return (a, b) => {
    const wrapsA = a.agentId <= cursor ? 1 : 0;
    const wrapsB = b.agentId <= cursor ? 1 : 0;
    if (wrapsA !== wrapsB) return wrapsA - wrapsB;
    if (a.agentId === b.agentId) return 0;
    return a.agentId < b.agentId ? -1 : 1;
  };
}
