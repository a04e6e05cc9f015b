import { CompressionError } from "./compression-error.ts";

/**
 * How many bits each byte takes, and last EOS, which ends nothing and must not occur. The code is canonical:
 * shorter ones come first and equally long ones in the order of their bytes, so that the lengths say it all.
 */
// biome-ignore format: sixteen in a row, as in RFC 7541, Appendix B.
const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const BITS_MIN = 5;
const BITS_MAX = 30;

/** A step that needs another byte: the rest of it is where the next table begins. */
const DEEPER = 0x8000;
/** A step that no code takes. */
const NOWHERE = 0xffff;
const STEPS = 256;

/**
 * Tables of 256 steps, one for each byte that may come next. A step is a byte that was meant and above it how many
 * bits of the eight were its own, or a table that goes on.
 */
const TREE = grow();

function grow(): Uint16Array {
  const steps: number[] = new Array(STEPS).fill(NOWHERE);
  let code = 0;
  for (let bits = BITS_MIN; bits <= BITS_MAX; bits += 1) {
    for (const [symbol, its] of CODE_BITS.entries()) {
      if (its !== bits) continue;
      if (symbol !== EOS) plant(steps, code, bits, symbol);
      code += 1;
    }
    code *= 2;
  }
  return Uint16Array.from(steps);
}

function plant(steps: number[], code: number, bits: number, symbol: number): void {
  let table = 0;
  let rest = bits;
  for (; rest > 8; rest -= 8) {
    const at = table + ((code >>> (rest - 8)) & 0xff);
    if (steps[at] === NOWHERE) {
      steps[at] = DEEPER | steps.length;
      steps.push(...new Array(STEPS).fill(NOWHERE));
    }
    table = (steps[at] as number) & ~DEEPER;
  }
  const first = (code << (8 - rest)) & 0xff;
  const step = (rest << 8) | symbol;
  steps.fill(step, table + first, table + first + (1 << (8 - rest)));
}

/** The most bytes that so many bytes of code can mean. */
export function huffmanBytesMax(codeBytes: number): number {
  return Math.floor((codeBytes * 8) / BITS_MIN);
}

/**
 * Writes what the bytes of `code` from `start` to `end` mean to the beginning of `out`, which has room for it;
 * returns how many there are.
 *
 * @throws CompressionError for a code that does not exist, EOS, and padding that is no part of EOS or 8 bits and more
 */
export function decodeHuffman(
  code: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
): number {
  let length = 0;
  let table = 0;
  let kept = 0;
  let bits = 0;
  for (let at = start; at < end; at += 1) {
    kept = ((kept << 8) | (code[at] as number)) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const step = TREE[table + ((kept >>> (bits - 8)) & 0xff)] as number;
      if (step < DEEPER) {
        out[length] = step;
        length += 1;
        bits -= step >>> 8;
        table = 0;
      } else {
        if (step === NOWHERE) throw new CompressionError("a Huffman code that does not exist");
        table = step & ~DEEPER;
        bits -= 8;
      }
    }
  }
  // What is left may still hold whole codes; behind the last one all is padding, which is ones.
  for (;;) {
    const step = TREE[table + (((kept << (8 - bits)) | (0xff >>> bits)) & 0xff)] as number;
    if (step >= DEEPER || step >>> 8 > bits) break;
    out[length] = step;
    length += 1;
    bits -= step >>> 8;
    table = 0;
  }
  const ones = (1 << bits) - 1;
  if (table !== 0 || (kept & ones) !== ones) throw new CompressionError("bad Huffman padding");
  return length;
}
