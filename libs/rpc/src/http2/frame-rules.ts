import { ConnectionError, ERROR, FRAME } from "./frames.ts";

/** Frames whose payload has one length (RFC 9113, sections 6.3, 6.4, 6.7 and 6.9). */
const BYTES: ReadonlyMap<number, number> = new Map([
  [FRAME.priority, 5],
  [FRAME.reset, 4],
  [FRAME.ping, 8],
  [FRAME.windowUpdate, 4],
]);
/** Of the last stream and a code, and perhaps a text (section 6.8). */
const GO_AWAY_BYTES_MIN = 8;
const OF_CONNECTION: ReadonlySet<number> = new Set([FRAME.settings, FRAME.ping, FRAME.goAway]);
const OF_STREAM: ReadonlySet<number> = new Set([
  FRAME.data,
  FRAME.headers,
  FRAME.priority,
  FRAME.reset,
  FRAME.continuation,
]);

/**
 * Throws ConnectionError for a frame whose length or stream is none that its type may have, or that no
 * client may send. Frames that nobody knows are all right (section 5.5).
 */
export function checkFrame(type: number, stream: number, bytes: number): void {
  if (type === FRAME.pushPromise) throw new ConnectionError(ERROR.protocol, "PUSH_PROMISE");
  const isMisplaced = stream === 0 ? OF_STREAM.has(type) : OF_CONNECTION.has(type);
  if (isMisplaced) throw new ConnectionError(ERROR.protocol, "a frame of the wrong stream");
  const isTooShort = type === FRAME.goAway && bytes < GO_AWAY_BYTES_MIN;
  if (isTooShort || bytes !== (BYTES.get(type) ?? bytes))
    throw new ConnectionError(ERROR.frameSize, "a frame");
}
