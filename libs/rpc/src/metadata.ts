import type { Metadata, MetadataValue } from "@grpc/grpc-js";
import type { Fields } from "./http2/request-head.ts";

/** gRPC metadata as Headers; the bytes of a `-bin` key become base64, as Connect has it. */
export function headersOf(metadata: Metadata | undefined): Headers {
  const headers = new Headers();
  if (metadata === undefined) return headers;
  for (const [key, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) headers.append(key, textOfValue(value));
  }
  return headers;
}

/** What a guard reads of the headers of a call. */
export type CallHeaders = Pick<Headers, "get">;

/** Reads single headers without making Headers of them all, which costs more than a unary call's own work. */
export function readHeaders(call: { header(name: string): string | undefined }): CallHeaders {
  return { get: (name) => call.header(name) ?? null };
}

/** The headers of an incoming call; those of HTTP/2 itself, which begin with a colon, are left out. */
export function incomingHeaders(received: Fields): Headers {
  const headers = new Headers();
  for (let at = 0; at < received.length; at += 2) {
    const name = received[at] as string;
    if (!name.startsWith(":")) headers.append(name, received[at + 1] as string);
  }
  return headers;
}

/** Of HTTP/1; HTTP/2 does not send them. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
]);

const PRINTABLE = /^[\x20-\x7e]*$/;

/** Headers or trailers as HTTP/2 sends them. Throws a TypeError for those that it does not. */
export function outgoingHeaders(headers: Headers): string[] {
  const fields: string[] = [];
  for (const [name, value] of headers) {
    if (OF_CONNECTIONS.has(name)) throw new TypeError(`${name} is no header of HTTP/2`);
    if (!PRINTABLE.test(value)) throw new TypeError(`the value of ${name} is not printable ASCII`);
    fields.push(name, value);
  }
  return fields;
}

/**
 * Adds headers to gRPC metadata, replacing those of the same name; base64 of a `-bin` key becomes
 * bytes.
 */
export function addHeaders(metadata: Metadata, headers: Iterable<[string, string]>): Metadata {
  for (const [key, value] of headers) {
    metadata.set(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  }
  return metadata;
}

function textOfValue(value: MetadataValue): string {
  return typeof value === "string" ? value : value.toString("base64");
}
