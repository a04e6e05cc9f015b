import { Role, rule } from "@bourse/proto/bourse/access/v1/access_pb.ts";
import type { Principal } from "@bourse/rpc";
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";

/** The access rule of a method, read from its contract and ready to be asked. */
export interface AccessRule {
  /** The kinds of caller that are let in. */
  readonly kinds: ReadonlySet<Principal["kind"]>;
  /** When not empty, the only services that are let in. */
  readonly services: ReadonlySet<string>;
  /** Request fields that must all hold the id of a calling agent. */
  readonly agentFields: readonly AgentField[];
}

/** A request field that names an agent. */
export interface AgentField {
  /** Dotted proto path, such as `bids.agent_id`. */
  readonly path: string;
  /** Every value that stands at the path; an unset one counts as the empty string. */
  values(request: Message): readonly string[];
}

/**
 * Names every fault of the access rules of services; the empty list is what a server needs to
 * start.
 */
export function ruleFaults(services: readonly DescService[]): readonly string[] {
  return services
    .filter((service) => !isOpenService(service))
    .flatMap((service) => service.methods.flatMap(methodFaults));
}

/** True for the health and reflection services, which everybody may call. */
export function isOpenService(service: DescService): boolean {
  return /^grpc\.(health|reflection)\./.test(service.typeName);
}

/**
 * Reads the rule of a method; undefined when the contract has none. Throws when the rule is faulty.
 */
export function readRule(method: DescMethod): AccessRule | undefined {
  if (!hasOption(method, rule)) return undefined;
  const { roles, services, agentFields } = getOption(method, rule);
  const kinds = new Set<Principal["kind"]>();
  for (const role of roles) {
    const kind = KINDS[role];
    if (kind === undefined) throw new Error(`role ${role} means nobody`);
    kinds.add(kind);
  }
  if (kinds.size === 0) throw new Error("the rule lets nobody in");
  if (agentFields.length > 0 && !kinds.has("agent")) {
    throw new Error("agent_fields stand in a rule without ROLE_AGENT");
  }
  if (agentFields.length > 0 && kinds.has("anonymous")) {
    throw new Error("agent_fields mean nothing beside ROLE_ANYONE");
  }
  if (services.length > 0 && !kinds.has("service")) {
    throw new Error("services stand in a rule without ROLE_SERVICE");
  }
  return {
    kinds,
    services: new Set(services),
    agentFields: agentFields.map((path) => agentField(method.input, path)),
  };
}

const KINDS: Readonly<Record<Role, Principal["kind"] | undefined>> = {
  [Role.UNSPECIFIED]: undefined,
  [Role.ANYONE]: "anonymous",
  [Role.AGENT]: "agent",
  [Role.OPERATOR]: "operator",
  [Role.AUDITOR]: "auditor",
  [Role.SERVICE]: "service",
};

function methodFaults(method: DescMethod): readonly string[] {
  const name = `${method.parent.typeName}/${method.name}`;
  try {
    return readRule(method) === undefined ? [`${name} has no access rule`] : [];
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function agentField(input: DescMessage, path: string): AgentField {
  const fields: DescField[] = [];
  let message: DescMessage | undefined = input;
  for (const name of path.split(".")) {
    const field: DescField | undefined = message?.fields.find((f) => f.name === name);
    if (field === undefined) throw new Error(`${input.typeName} has no field ${path}`);
    fields.push(field);
    message = field.fieldKind === "map" ? undefined : field.message;
  }
  // The last field holds no message: a path that ends on one names no agent.
  if (message !== undefined || !holdsText(fields.at(-1))) {
    throw new Error(`field ${path} of ${input.typeName} is no string`);
  }
  return { path, values: (request) => textsAt([request], fields) };
}

function holdsText(field: DescField | undefined): boolean {
  if (field?.fieldKind !== "scalar" && field?.fieldKind !== "list") return false;
  return field.scalar === ScalarType.STRING;
}

function textsAt(messages: readonly unknown[], fields: readonly DescField[]): readonly string[] {
  let found = messages;
  for (const field of fields) {
    found = found.flatMap((message) => {
      const value = valueAt(message, field);
      // An empty list names nobody, which must not pass as "every element is the caller".
      return Array.isArray(value) && value.length > 0 ? value : [value];
    });
  }
  return found.map((value) => (typeof value === "string" ? value : ""));
}

function valueAt(message: unknown, field: DescField): unknown {
  if (typeof message !== "object" || message === null) return undefined;
  const properties = message as Readonly<Record<string, unknown>>;
  if (field.oneof === undefined) return properties[field.localName];
  const group = properties[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return group?.case === field.localName ? group.value : undefined;
}
