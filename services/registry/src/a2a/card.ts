import { type Fault, Rejection } from "@bourse/rpc/rejection";
import type { Reason } from "../reasons.ts";
import { isObject, type Json } from "./canonical.ts";

type JsonObject = { readonly [name: string]: Json };

/** What the market keeps of an A2A card. */
export interface AgentCard {
  readonly name: string;
  readonly description: string;
  readonly endpoint: { readonly uri: string; readonly protocol: string };
  /** Ids of the skills, as they stand in the card. */
  readonly capabilities: readonly string[];
  /** Labels that all begin with `a2a.`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Members that are not kept. */
  readonly ignored: readonly string[];
}

/** How a profile names the bindings of A2A. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  JSONRPC: "a2a",
  GRPC: "a2a+grpc",
  "HTTP+JSON": "a2a+http",
};

const DEPTH_MAX = 32;

/**
 * Reads a text as a card.
 * @throws Rejection INVALID_AGENT_CARD when it is no JSON object, or nested deeper than any card is
 */
export function parseCard(text: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw invalid([{ field: "card_json", description: "must be JSON" }]);
  }
  if (!isObject(value)) throw invalid([{ field: "card_json", description: "must be an object" }]);
  if (isDeeper(value, DEPTH_MAX)) {
    throw invalid([{ field: "card_json", description: `is nested above ${DEPTH_MAX} levels` }]);
  }
  return value;
}

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: Json) => isDeeper(inner, levels - 1));
}

/**
 * Reads what the market keeps of a card.
 * @throws Rejection INVALID_AGENT_CARD with every fault
 */
export function readCard(card: JsonObject): AgentCard {
  const faults: CardFault[] = [];
  const text = (name: string): string => {
    const value = card[name];
    if (value !== undefined && typeof value !== "string") {
      faults.push({ field: `card.${name}`, description: "must be a text" });
    }
    return typeof value === "string" ? value : "";
  };
  const name = text("name");
  if (card["name"] === undefined) faults.push({ field: "card.name", description: "is required" });
  const read = {
    name,
    description: text("description"),
    endpoint: readEndpoint(card["supportedInterfaces"], faults),
    capabilities: readSkills(card["skills"], faults),
    labels: labelsOf(card, text),
    ignored: Object.keys(card).filter((member) => !READ.has(member)),
  };
  if (faults.length > 0) throw invalid(faults);
  return read;
}

const READ: ReadonlySet<string> = new Set([
  ...["name", "description", "supportedInterfaces", "skills", "version", "documentationUrl"],
  ...["defaultInputModes", "defaultOutputModes", "signatures"],
]);

function readEndpoint(value: Json | undefined, faults: CardFault[]): AgentCard["endpoint"] {
  const interfaces = Array.isArray(value) ? value.filter((one: Json) => isObject(one)) : [];
  const usable = interfaces.filter((one) => typeof one["url"] === "string");
  const core = usable.find((one) => String(one["protocolBinding"]) in PROTOCOLS) ?? usable[0];
  if (core === undefined) {
    const description = "must hold an interface with a url, as A2A 1.0 has it";
    faults.push({ field: "card.supportedInterfaces", description });
    return { uri: "", protocol: "" };
  }
  const binding = String(core["protocolBinding"] ?? "JSONRPC");
  return { uri: String(core["url"]), protocol: PROTOCOLS[binding] ?? binding.toLowerCase() };
}

function readSkills(value: Json | undefined, faults: CardFault[]): string[] {
  if (!Array.isArray(value) || value.length === 0) {
    faults.push({ field: "card.skills", description: "must hold at least one skill" });
    return [];
  }
  return value.flatMap((skill: Json, nth: number) => {
    const id = isObject(skill) ? skill["id"] : undefined;
    if (typeof id === "string" && CAPABILITY.test(id) && id.length <= 100) return [id];
    const description = `must match ${CAPABILITY.source}, with at most 100 characters`;
    if (faults.length < FAULTS_MAX) faults.push({ field: `card.skills[${nth}].id`, description });
    return [];
  });
}

const CAPABILITY = /^\s*[A-Za-z0-9][A-Za-z0-9_.:/+-]*\s*$/;
const FAULTS_MAX = 200;

function labelsOf(card: JsonObject, text: (name: string) => string): Record<string, string> {
  const list = (name: string) => {
    const value = card[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string").join(",") : "";
  };
  const labels = {
    "a2a.version": text("version"),
    "a2a.documentation_url": text("documentationUrl"),
    "a2a.input_modes": list("defaultInputModes"),
    "a2a.output_modes": list("defaultOutputModes"),
  };
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
}

interface CardFault {
  readonly field: string;
  readonly description: string;
}

/** The refusal of a card. */
export function invalid(faults: readonly CardFault[]): Rejection {
  const reason: Reason = "INVALID_AGENT_CARD";
  const told: readonly Fault[] = faults.map((fault) => ({ ...fault, reason }));
  const text = faults.map(({ field, description }) => `${field} ${description}`).join("; ");
  return new Rejection(reason, text, { faults: told });
}

/** What it takes to write a card. */
export interface CardSubject {
  readonly agentId: string;
  readonly displayName: string;
  readonly description: string;
  readonly endpoint: { readonly uri: string; readonly protocol: string };
  readonly capabilities: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly etag: string;
}

/** The card of an agent: every member that A2A 1.0 requires, and what its own card said of the others. */
export function writeCard(subject: CardSubject): JsonObject {
  const { endpoint, metadata } = subject;
  const bindings = Object.entries(PROTOCOLS).find(([, protocol]) => protocol === endpoint.protocol);
  const modes = (label: string) => (metadata[label] ?? "text/plain").split(",");
  const documentationUrl = metadata["a2a.documentation_url"];
  return {
    name: subject.displayName === "" ? subject.agentId : subject.displayName,
    description: subject.description,
    supportedInterfaces: [
      {
        url: endpoint.uri,
        protocolBinding: bindings?.[0] ?? endpoint.protocol,
        protocolVersion: "1.0",
      },
    ],
    version: metadata["a2a.version"] ?? subject.etag,
    ...(documentationUrl !== undefined && { documentationUrl }),
    capabilities: {},
    defaultInputModes: modes("a2a.input_modes"),
    defaultOutputModes: modes("a2a.output_modes"),
    skills: subject.capabilities.map((id) => ({ id, name: id, description: id, tags: [id] })),
  };
}
