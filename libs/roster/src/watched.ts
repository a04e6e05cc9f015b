import {
  AgentPageSchema,
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
  fromBinary,
  type Message,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  TimestampSchema,
  timestampMs,
} from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";

/** A message of WatchAgents whose agent, or page of agents, and time are left in binary form. */
export type Watched = Message & {
  readonly event:
    | { readonly case: "agent" | "agents"; readonly value: Uint8Array }
    | { readonly case: "synced" | "idle"; readonly value: boolean }
    | { readonly case: undefined; readonly value?: undefined };
  readonly resumeToken: string;
  /** A Timestamp; empty for none. */
  readonly staleSince: Uint8Array;
};

const IN_BINARY = new Set(["agent", "agents", "stale_since"]);
const AGENTS = AgentPageSchema.field.agents.number;
const WATCHED = watchedSchema();
const WATCH = {
  ...RegistryService.method.watchAgents,
  output: WATCHED,
} as unknown as DescMethodServerStreaming<typeof WatchAgentsRequestSchema, typeof WATCHED>;

/**
 * Opens WatchAgents from a resume token ("" for everything), asks for agents together, and leaves them in binary form:
 * on the wire a message within a message and a field of bytes are the same.
 */
export async function watch(
  channel: Transport,
  resumeToken: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Watched>> {
  const request = create(WatchAgentsRequestSchema, { resumeToken, together: true });
  const { message } = await channel.stream(WATCH, signal, undefined, undefined, only(request));
  return message;
}

/**
 * The agents that a message tells of, in its order, each a byte per character, in memory of its own: what is cut out of
 * the text of a page would keep all of that.
 * @throws for a page that is cut off, once those before are told
 */
export function* agentsIn({ event }: Watched): Generator<string, void, undefined> {
  if (event.case === "agent") yield textOf(event.value);
  if (event.case !== "agents") return;
  const page = new BinaryReader(event.value);
  while (page.pos < page.len) {
    const [field, type] = page.tag();
    if (field === AGENTS && type === WireType.LengthDelimited) yield textOf(page.bytes());
    else page.skip(type, field);
  }
}

/** Since when the registry's store of leases is away, in milliseconds; undefined while it is there. */
export function staleSinceMsOf({ staleSince }: Watched): number | undefined {
  return staleSince.length === 0 ? undefined : timestampMs(fromBinary(TimestampSchema, staleSince));
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

async function* only(request: WatchAgentsRequest) {
  yield request;
}

function watchedSchema(): GenMessage<Watched> {
  const watched = clone(DescriptorProtoSchema, WatchAgentsResponseSchema.proto);
  for (const field of watched.field) {
    if (!IN_BINARY.has(field.name)) continue;
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
