import {
  ConnectionError,
  ERROR,
  FRAME_BYTES_DEFAULT,
  SETTING,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from "./frames.ts";

/** What a peer may have under way on one connection; more wait at its side. */
export const STREAMS_MAX = 10_000;
/** Bytes of a request that may be on their way to us before we have taken them. */
export const STREAM_WINDOW = 1024 * 1024;
/** Of all requests of a connection. */
export const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
/** Of the headers of a request: names, values, and 32 for each (RFC 9113, section 6.5.2). */
export const HEADER_LIST_BYTES = 65_536;

export const SETTING_BYTES = 6;
const FRAME_BYTES_MAX = 2 ** 24 - 1;

/** Our settings, as the payload of a frame. */
export const OUR_SETTINGS = settingsPayload([
  [SETTING.streamsMax, STREAMS_MAX],
  [SETTING.streamWindow, STREAM_WINDOW],
  [SETTING.headerListBytes, HEADER_LIST_BYTES],
]);

/** Those of a peer that matter to a server, with the values they have until it says otherwise. */
export interface PeerSettings {
  tableBytes: number;
  streamWindow: number;
  frameBytes: number;
}

export const INITIAL_SETTINGS: PeerSettings = {
  tableBytes: 4_096,
  streamWindow: WINDOW_DEFAULT,
  frameBytes: FRAME_BYTES_DEFAULT,
};

/** The settings after those in a payload (sections 6.5 and 6.5.2). Throws ConnectionError. */
export function settingsAfter(before: PeerSettings, payload: Buffer): PeerSettings {
  if (payload.length % SETTING_BYTES !== 0) throw new ConnectionError(ERROR.frameSize, "SETTINGS");
  const after = { ...before };
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    set(after, payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }
  return after;
}

function set(settings: PeerSettings, name: number, value: number): void {
  switch (name) {
    case SETTING.tableBytes:
      settings.tableBytes = value;
      break;
    case SETTING.push:
      if (value > 1) throw new ConnectionError(ERROR.protocol, "ENABLE_PUSH");
      break;
    case SETTING.streamWindow:
      if (value > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, "INITIAL_WINDOW_SIZE");
      settings.streamWindow = value;
      break;
    case SETTING.frameBytes:
      if (value < FRAME_BYTES_DEFAULT || value > FRAME_BYTES_MAX) {
        throw new ConnectionError(ERROR.protocol, "MAX_FRAME_SIZE");
      }
      settings.frameBytes = value;
  }
}

/** The payload of a SETTINGS frame. */
export function settingsPayload(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * SETTING_BYTES);
  settings.forEach(([name, value], nth) => {
    payload.writeUInt16BE(name, nth * SETTING_BYTES);
    payload.writeUInt32BE(value, nth * SETTING_BYTES + 2);
  });
  return payload;
}
