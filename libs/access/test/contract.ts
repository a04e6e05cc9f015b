import { type Role, RuleSchema, rule } from "@bourse/proto/bourse/access/v1/access_pb.ts";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromJson,
  type JsonValue,
  type Message,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  type MethodOptions,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

/** A rule as a test writes it. */
export interface RuleInit {
  readonly roles?: readonly Role[];
  readonly agentFields?: readonly string[];
  readonly services?: readonly string[];
}

/**
 * A service `test.v1.Desk` with one method per rule; undefined makes a method without one. Every
 * method takes
 *
 *     message Request {
 *       string agent_id; repeated string agents; Bid bid; repeated Bid bids; int32 count;
 *       map<string, string> notes; oneof target { string buyer_id; Bid counter; string seller_id; }
 *     }
 *     message Bid { string agent_id }
 */
export function deskWith(
  rules: Readonly<Record<string, RuleInit | undefined>>,
  name = "test.v1.Desk",
): DescService {
  const dot = name.lastIndexOf(".");
  const file = create(FileDescriptorProtoSchema, {
    name: `${name}.proto`,
    package: name.slice(0, dot),
    syntax: "proto3",
    messageType: [requestMessage(name.slice(0, dot)), bidMessage()],
    service: [
      {
        name: name.slice(dot + 1),
        method: Object.entries(rules).map(([method, init]) => ({
          name: method,
          inputType: `.${name.slice(0, dot)}.Request`,
          outputType: `.${name.slice(0, dot)}.Request`,
          ...(init !== undefined && { options: optionsOf(init) }),
        })),
      },
    ],
  });
  const service = createFileRegistry(file, () => undefined).getService(name);
  if (service === undefined) throw new Error("no service was made");
  return service;
}

/** The method of a desk. */
export function methodOf(service: DescService, name: string): DescMethod {
  const method = service.methods.find((candidate) => candidate.name === name);
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
}

/** A request from its JSON. */
export function requestOf(input: DescMessage, json: JsonValue): Message {
  return fromJson(input, json);
}

function optionsOf(init: RuleInit): MethodOptions {
  const options = create(MethodOptionsSchema);
  const { roles = [], agentFields = [], services = [] } = init;
  setExtension(
    options,
    rule,
    create(RuleSchema, {
      roles: [...roles],
      agentFields: [...agentFields],
      services: [...services],
    }),
  );
  return options;
}

function requestMessage(scope: string): DescriptorProto {
  const bid = `.${scope}.Bid`;
  const entry = {
    name: "NotesEntry",
    field: [text("key", 1), text("value", 2)],
    options: { mapEntry: true },
  };
  return {
    name: "Request",
    field: [
      text("agent_id", 1),
      field("agents", 2, Type.STRING, { label: Label.REPEATED }),
      field("bid", 3, Type.MESSAGE, { typeName: bid }),
      field("bids", 4, Type.MESSAGE, { typeName: bid, label: Label.REPEATED }),
      field("count", 5, Type.INT32),
      field("notes", 6, Type.MESSAGE, {
        typeName: `.${scope}.Request.NotesEntry`,
        label: Label.REPEATED,
      }),
      field("buyer_id", 7, Type.STRING, { oneofIndex: 0 }),
      field("counter", 8, Type.MESSAGE, { typeName: bid, oneofIndex: 0 }),
      field("seller_id", 9, Type.STRING, { oneofIndex: 0 }),
    ],
    oneofDecl: [{ name: "target" }],
    nestedType: [entry],
  } as unknown as DescriptorProto;
}

function bidMessage(): DescriptorProto {
  return { name: "Bid", field: [text("agent_id", 1)] } as unknown as DescriptorProto;
}

function text(name: string, number: number): FieldDescriptorProto {
  return field(name, number, Type.STRING);
}

function field(
  name: string,
  number: number,
  type: Type,
  init: { typeName?: string; label?: Label; oneofIndex?: number } = {},
): FieldDescriptorProto {
  const jsonName = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return create(FieldDescriptorProtoSchema, {
    label: Label.OPTIONAL,
    ...init,
    name,
    number,
    type,
    jsonName,
  });
}
