import type { Metadata } from "@grpc/grpc-js";

/** gRPC metadata as Headers; the bytes of a `-bin` key become base64, as Connect has it. */
export function headersOf(metadata: Metadata | undefined): Headers {
  const headers = new Headers();
  if (metadata === undefined) return headers;
  for (const [key, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) {
      headers.append(key, typeof value === "string" ? value : value.toString("base64"));
    }
  }
  return headers;
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

/** The first text value of a key. */
export function textOf(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0];
  return typeof value === "string" ? value : undefined;
}
