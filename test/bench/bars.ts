/** What is asked of a figure. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly bar: number;
  readonly ok: boolean;
}

/** A figure that shall not be below `bar`. */
export function atLeast(name: string, value: number, bar: number): Bar {
  return { name: `${name}, at least`, value, bar, ok: value >= bar };
}

/** A figure that shall not be above `bar`. */
export function atMost(name: string, value: number, bar: number): Bar {
  return { name: `${name}, at most`, value, bar, ok: value <= bar };
}
