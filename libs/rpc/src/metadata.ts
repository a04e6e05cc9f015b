import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { Metadata, MetadataValue } from "@grpc/grpc-js";

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
export function incomingHeaders(received: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, each);
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

/** Headers or trailers as Node sends them. Throws a TypeError for those that it would not send. */
export function outgoingHeaders(headers: Headers): OutgoingHttpHeaders {
  for (const [name, value] of headers) {
    if (OF_CONNECTIONS.has(name)) throw new TypeError(`${name} is no header of HTTP/2`);
    if (!PRINTABLE.test(value)) throw new TypeError(`the value of ${name} is not printable ASCII`);
  }
  return Object.fromEntries(headers);
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
