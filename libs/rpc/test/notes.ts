import {
  FieldRulesSchema,
  file_buf_validate_validate,
  field as rulesOption,
} from "@bourse/proto/buf/validate/validate_pb.ts";
import { create, createFileRegistry, type Message, setExtension } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

/**
 * The one message of the test contract; as a request, `text` has at most ten characters and `count`
 * is not negative.
 */
export type Note = Message<"notes.v1.Note"> & {
  text: string;
  count: number;
  blob: Uint8Array;
};

/** A contract with a method of each kind, made without a code generator. */
export type NoteService = GenService<{
  /** NO_SIDE_EFFECTS */
  read: { methodKind: "unary"; input: GenMessage<Note>; output: GenMessage<Note> };
  /** Not idempotent. */
  write: { methodKind: "unary"; input: GenMessage<Note>; output: GenMessage<Note> };
  list: { methodKind: "server_streaming"; input: GenMessage<Note>; output: GenMessage<Note> };
  sum: { methodKind: "client_streaming"; input: GenMessage<Note>; output: GenMessage<Note> };
  chat: { methodKind: "bidi_streaming"; input: GenMessage<Note>; output: GenMessage<Note> };
}>;

const file = create(FileDescriptorProtoSchema, {
  name: "notes/v1/notes.proto",
  package: "notes.v1",
  syntax: "proto3",
  dependency: ["buf/validate/validate.proto"],
  messageType: [
    {
      name: "Note",
      field: [
        field("text", 1, Type.STRING, { case: "string", value: { maxLen: 10n } }),
        field("count", 2, Type.INT32, {
          case: "int32",
          value: { greaterThan: { case: "gte", value: 0 } },
        }),
        field("blob", 3, Type.BYTES),
      ],
    },
  ],
  service: [
    {
      name: "NoteService",
      method: [
        method("Read", { options: { idempotencyLevel: Idempotency.NO_SIDE_EFFECTS } }),
        method("Write"),
        method("List", { serverStreaming: true }),
        method("Sum", { clientStreaming: true }),
        method("Chat", { clientStreaming: true, serverStreaming: true }),
      ],
    },
  ],
});

const registry = createFileRegistry(file, (name) =>
  name === "buf/validate/validate.proto" ? file_buf_validate_validate : undefined,
);

export const NoteSchema = registry.getMessage("notes.v1.Note") as unknown as GenMessage<Note>;
export const NoteService = registry.getService("notes.v1.NoteService") as unknown as NoteService;

function field(name: string, number: number, type: Type, rules?: object) {
  const proto = { name, jsonName: name, number, type, label: Label.OPTIONAL };
  if (rules === undefined) return create(FieldDescriptorProtoSchema, proto);
  const options = create(FieldOptionsSchema);
  setExtension(options, rulesOption, create(FieldRulesSchema, { type: rules as never }));
  return create(FieldDescriptorProtoSchema, { ...proto, options });
}

function method(name: string, more: object = {}) {
  return { name, inputType: ".notes.v1.Note", outputType: ".notes.v1.Note", ...more };
}
