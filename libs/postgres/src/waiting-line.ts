/** Whoever stands in a line, and knows its neighbours. */
export interface Place<T> {
  readonly value: T;
  before: Place<T>;
  behind: Place<T>;
}

/** First come, first served, where anyone may leave: each step costs the same however long it is. */
export interface WaitingLine<T> {
  /** Goes to the end. */
  join(value: T): Place<T>;
  /** Leaves from wherever it stands; does nothing when it has left. */
  leave(place: Place<T>): void;
  /** Who stands first, or undefined when nobody does. */
  first(): Place<T> | undefined;
}

/** Starts with nobody in line. */
export function createWaitingLine<T>(): WaitingLine<T> {
  // The line is a ring; its head is no place, so that no step has a special case.
  const head = { value: undefined } as unknown as Place<T>;
  head.before = head;
  head.behind = head;
  return {
    join(value) {
      const place = { value, before: head.before, behind: head };
      head.before.behind = place;
      head.before = place;
      return place;
    },
    leave(place) {
      place.before.behind = place.behind;
      place.behind.before = place.before;
      place.before = place;
      place.behind = place;
    },
    first: () => (head.behind === head ? undefined : head.behind),
  };
}
