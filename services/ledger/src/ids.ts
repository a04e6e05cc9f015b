import { randomBytes, randomFillSync } from "node:crypto";

/** Of the counter, which stands in two parts of three digits each. */
const DIGITS = Array.from({ length: 0x1000 }, (_, value) => value.toString(16).padStart(3, "0"));
const COUNTER_END = 0x1000000;
/** Random bytes that are drawn at once. */
const POOL_BYTES = 3_072;

/**
 * Draws UUIDs of version 7, each greater than the one before, also when the clock stands or goes back: rows
 * that are written in the order of their ids only add to the end of an index. Within a millisecond 24 bits count
 * on from a random number (RFC 9562, 6.2, method 1), and 48 bits more are random.
 * @param now milliseconds
 */
export function createIds(now: () => number = Date.now): () => string {
  const bytes = Buffer.alloc(POOL_BYTES);
  let random = "";
  let drawn = 0;
  let last = 0;
  let time = "";
  let counter = 0;

  function draw(digits: number): string {
    if (drawn + digits > random.length) {
      random = randomFillSync(bytes).toString("hex");
      drawn = 0;
    }
    drawn += digits;
    return random.slice(drawn - digits, drawn);
  }

  function begin(millisecond: number): void {
    last = millisecond;
    const text = millisecond.toString(16).padStart(12, "0");
    time = `${text.slice(0, 8)}-${text.slice(8)}-7`;
    // From the lower half, so that there is room to count.
    counter = Number.parseInt(draw(6), 16) >> 1;
  }

  return () => {
    const millisecond = now();
    counter += 1;
    if (millisecond > last) begin(millisecond);
    else if (counter === COUNTER_END) begin(last + 1);
    return `${time}${DIGITS[counter >> 12]}-8${DIGITS[counter & 0xfff]}-${draw(12)}`;
  };
}

/** A name that is drawn at random, so that it tells nothing of whom it stands for. */
export function newPseudonym(): string {
  return `p-${randomBytes(16).toString("hex")}`;
}
