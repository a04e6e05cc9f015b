import {
  RegistryService,
  type WatchAgentsRequest,
  WatchAgentsRequestSchema,
  WatchAgentsResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import {
  clone,
  create,
  createFileRegistry,
  type DescMethodServerStreaming,
  type Message,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";

/** A message of WatchAgents whose agent is left in binary form. */
export type Watched = Message & {
  readonly event:
    | { readonly case: "agent"; readonly value: Uint8Array }
    | { readonly case: "synced" | "idle"; readonly value: boolean }
    | { readonly case: undefined; readonly value?: undefined };
  readonly resumeToken: string;
};

const WATCHED = watchedSchema();
const WATCH = {
  ...RegistryService.method.watchAgents,
  output: WATCHED,
} as unknown as DescMethodServerStreaming<typeof WatchAgentsRequestSchema, typeof WATCHED>;

/**
 * Opens WatchAgents from a resume token ("" for everything), and leaves its agents in binary form: on the wire a
 * message within a message and a field of bytes are the same.
 */
export async function watch(
  channel: Transport,
  resumeToken: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Watched>> {
  const request = create(WatchAgentsRequestSchema, { resumeToken });
  const { message } = await channel.stream(WATCH, signal, undefined, undefined, only(request));
  return message;
}

async function* only(request: WatchAgentsRequest) {
  yield request;
}

function watchedSchema(): GenMessage<Watched> {
  const watched = clone(DescriptorProtoSchema, WatchAgentsResponseSchema.proto);
  for (const field of watched.field) {
    if (field.name !== "agent") continue;
    field.type = FieldDescriptorProto_Type.BYTES;
    field.typeName = "";
  }
  const file = create(FileDescriptorProtoSchema, {
    name: "bourse/roster/watched.proto",
    package: "bourse.roster",
    syntax: "proto3",
    messageType: [watched],
  });
  const schema = createFileRegistry(file, () => undefined).getMessage(
    `bourse.roster.${watched.name}`,
  );
  return schema as unknown as GenMessage<Watched>;
}
