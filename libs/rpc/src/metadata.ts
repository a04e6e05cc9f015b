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
export function readHeaders(metadata: Metadata): CallHeaders {
  return {
    get(name) {
      const values = metadata.get(name);
      return values.length === 0 ? null : values.map(textOfValue).join(", ");
    },
  };
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

function textOfValue(value: MetadataValue): string {
  return typeof value === "string" ? value : value.toString("base64");
}
