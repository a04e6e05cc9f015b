import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

// The few messages of etcd's gRPC API (etcdserverpb) that the bench speaks, written by hand.

/** Asks for one key, or for the first so many keys of a prefix. */
export type Range = { readonly serializable: boolean } & (
  | { readonly key: string }
  | { readonly prefix: string; readonly limit: number }
);

/** A RangeRequest: key 1, range_end 2, limit 3, serializable 7. */
export function rangeOf(range: Range): Uint8Array {
  const writer = new BinaryWriter();
  if ("key" in range) {
    writer.tag(1, WireType.LengthDelimited).string(range.key);
  } else {
    writer.tag(1, WireType.LengthDelimited).string(range.prefix);
    writer.tag(2, WireType.LengthDelimited).string(afterPrefix(range.prefix));
    writer.tag(3, WireType.Varint).int64(range.limit);
  }
  if (range.serializable) writer.tag(7, WireType.Varint).bool(true);
  return writer.finish();
}

/** A TxnRequest whose `success` (2) are PutRequests (2; key 1, value 2); nothing is compared. */
export function putAll(
  pairs: readonly { readonly key: string; readonly value: Uint8Array }[],
): Uint8Array {
  const writer = new BinaryWriter();
  for (const { key, value } of pairs) {
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(key);
    writer.tag(2, WireType.LengthDelimited).bytes(value);
    writer.join().join();
  }
  return writer.finish();
}

/** The `count` (4) of a RangeResponse. */
export function countOf(response: Uint8Array): number {
  const reader = new BinaryReader(response);
  let count = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 4) count = Number(reader.int64());
    else reader.skip(type);
  }
  return count;
}

/** The first key after all that begin with a prefix, whose last character is below DEL. */
function afterPrefix(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}
