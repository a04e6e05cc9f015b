import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

/** A response whose binary form is at hand. It has no fields. */
export class EncodedMessage {
  readonly schema: DescMessage;
  readonly bytes: Uint8Array;

  constructor(schema: DescMessage, bytes: Uint8Array) {
    this.schema = schema;
    this.bytes = bytes;
  }
}

/**
 * Stands for a response that a handler returns or yields: `bytes` are sent as they are, so that what
 * is stored in its binary form is not decoded only to be encoded again. The caller vouches that they
 * are a message of `schema`; nobody may read a field of the result.
 */
export function encoded<O extends DescMessage>(schema: O, bytes: Uint8Array): MessageShape<O> {
  return new EncodedMessage(schema, bytes) as unknown as MessageShape<O>;
}

/** Several messages of a stream whose binary form is at hand. */
export class EncodedMessages {
  readonly schema: DescMessage;
  readonly all: readonly Uint8Array[];

  constructor(schema: DescMessage, all: readonly Uint8Array[]) {
    this.schema = schema;
    this.all = all;
  }
}

/**
 * The same for several messages that a handler of a stream yields at once: the caller gets them one
 * by one, as ever, but they are written together. They should have no more than some 64 KiB in all,
 * for that much is held for a caller who does not read.
 */
export function encodedAll<O extends DescMessage>(
  schema: O,
  all: readonly Uint8Array[],
): MessageShape<O> {
  return new EncodedMessages(schema, all) as unknown as MessageShape<O>;
}
