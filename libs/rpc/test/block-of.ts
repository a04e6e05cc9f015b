import { blockBytesMax, type HeaderEncoder } from "../src/http2/hpack-encoder.ts";

/** The header block that an encoder writes for a list. */
export function blockOf(encoder: HeaderEncoder, list: readonly string[]): Buffer {
  const out = Buffer.alloc(blockBytesMax(list));
  return out.subarray(0, encoder.write(list, out, 0));
}
