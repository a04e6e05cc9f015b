import {
  AgentProfileSchema,
  AgentSchema,
  AvailabilitySchema,
  EndpointSchema,
  PricingSchema,
  ReliabilitySchema,
  ReputationSchema,
  SlaSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { BreakerSchema, BreakerState } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { MoneySchema } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import { fromUtf8, tagOf, WireReader } from "@bourse/roster/wire";
import { stateOf } from "./codec.ts";
import { type Listing, NO_BREAKERS, NO_LABELS, NO_RECORDS } from "./listing.ts";
import { PPM } from "./reliability.ts";
import { wordsOf } from "./words.ts";

const DEFAULT_CAPACITY_PER_HOUR = 30;

type Kind = Parameters<typeof tagOf>[1];

/** The tags of the fields of a message that are read here, each with what its value is. */
function tags<N extends string>(
  fields: Readonly<Record<NoInfer<N>, { readonly number: number }>>,
  kinds: Readonly<Record<N, Kind>>,
): Readonly<Record<N, number>> {
  const pairs = Object.entries<Kind>(kinds).map(([name, kind]) => {
    return [name, tagOf(fields[name as N].number, kind)];
  });
  return Object.fromEntries(pairs);
}

const AGENT = tags(AgentSchema.field, {
  profile: "bytes",
  availability: "bytes",
  reputation: "bytes",
  createTime: "bytes",
  breakers: "bytes",
});
const PROFILE = tags(AgentProfileSchema.field, {
  displayName: "bytes",
  description: "bytes",
  endpoint: "bytes",
  capabilities: "bytes",
  sla: "bytes",
  pricing: "bytes",
  capacityPerHour: "whole",
  metadata: "bytes",
});
const AVAILABILITY = tags(AvailabilitySchema.field, {
  state: "whole",
  inFlight: "whole",
  leaseExpireTime: "bytes",
  updateTime: "bytes",
  inFlightTime: "bytes",
});
const REPUTATION = tags(ReputationSchema.field, { score: "double", reliabilities: "bytes" });
const RELIABILITY = tags(ReliabilitySchema.field, { capability: "bytes", lowerBound: "double" });
const BREAKER = tags(BreakerSchema.field, { capability: "bytes", state: "whole" });
const ENDPOINT = tags(EndpointSchema.field, { uri: "bytes" });
const SLA = tags(SlaSchema.field, { p95Latency: "bytes" });
const PRICING = tags(PricingSchema.field, { costPerTask: "bytes" });
const MONEY = tags(MoneySchema.field, { micros: "whole", currencyCode: "bytes" });
/** An entry of a map is a message of these. */
const ENTRY = { key: tagOf(1, "bytes"), value: tagOf(2, "bytes") };

/** A listing while it is read. */
type Draft = { -readonly [N in keyof Listing]: Listing[N] } & {
  capabilities: string[];
  /** In UTF-8, a byte a character. */
  displayName: string;
  description: string;
  updatedMs: number;
};

/**
 * What discovery looks at in an agent of the registry, read out of its message as the roster keeps it, a byte a
 * character. To decode all of that first would take several times as long, and each change of each agent comes through
 * here. `leaseEndMs` is when its lease ends, where that is not what the message says.
 */
export function listingOf(agentId: string, message: string, leaseEndMs?: number): Listing {
  const draft: Draft = {
    agentId,
    capabilities: [],
    price: undefined,
    state: "OFFLINE",
    leaseEndMs: Infinity,
    inFlight: 0,
    reportedMs: -Infinity,
    capacityPerHour: DEFAULT_CAPACITY_PER_HOUR,
    p95LatencyMs: undefined,
    scorePpm: 0,
    reliabilityPpm: NO_RECORDS,
    labels: NO_LABELS,
    breakers: NO_BREAKERS,
    createdMs: -Infinity,
    words: [],
    endpointScheme: undefined,
    displayName: "",
    description: "",
    updatedMs: -Infinity,
  };
  const reader = new WireReader(message);
  while (reader.at < message.length) readAgent(reader.tag(), reader, draft);
  if (leaseEndMs !== undefined) draft.leaseEndMs = leaseEndMs;
  if (draft.reportedMs === -Infinity) draft.reportedMs = draft.updatedMs;
  // Of long texts only the beginning may count, so what matters most comes first.
  draft.words = wordsOf([draft.displayName, ...draft.capabilities, draft.description], fromUtf8);
  return draft;
}

/** Reads a field, whose tag was read, into something. */
type Read<T> = (tag: number, reader: WireReader, into: T) => void;

/** Reads a message within a message. */
function within<T>(reader: WireReader, into: T, read: Read<T>): T {
  const end = reader.end();
  while (reader.at < end) read(reader.tag(), reader, into);
  return into;
}

function readAgent(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === AGENT.profile) within(reader, draft, readProfile);
  else if (tag === AGENT.availability) within(reader, draft, readAvailability);
  else if (tag === AGENT.reputation) within(reader, draft, readReputation);
  else if (tag === AGENT.createTime) draft.createdMs = reader.ms();
  else if (tag === AGENT.breakers) readBreaker(reader, draft);
  else reader.skip(tag);
}

function readProfile(tag: number, reader: WireReader, draft: Draft): void {
  // Names of capabilities are ASCII.
  if (tag === PROFILE.capabilities) draft.capabilities.push(reader.bytes());
  else if (tag === PROFILE.displayName) draft.displayName = reader.bytes();
  else if (tag === PROFILE.description) draft.description = reader.bytes();
  else if (tag === PROFILE.endpoint) within(reader, draft, readEndpoint);
  else if (tag === PROFILE.sla) within(reader, draft, readSla);
  else if (tag === PROFILE.pricing) within(reader, draft, readPricing);
  else if (tag === PROFILE.capacityPerHour) draft.capacityPerHour = reader.whole();
  else if (tag === PROFILE.metadata) readLabel(reader, draft);
  else reader.skip(tag);
}

function readEndpoint(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === ENDPOINT.uri) draft.endpointScheme = schemeOf(reader.bytes());
  else reader.skip(tag);
}

function readSla(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === SLA.p95Latency) draft.p95LatencyMs = reader.ms();
  else reader.skip(tag);
}

function readPricing(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === PRICING.costPerTask) {
    draft.price = within(reader, { micros: 0n, currency: "" }, readMoney);
  } else reader.skip(tag);
}

function readMoney(
  tag: number,
  reader: WireReader,
  price: { micros: bigint; currency: string },
): void {
  if (tag === MONEY.micros) price.micros = reader.int64();
  else if (tag === MONEY.currencyCode) price.currency = reader.utf8();
  else reader.skip(tag);
}

function readLabel(reader: WireReader, draft: Draft): void {
  const { key, value } = within(reader, { key: "", value: "" }, readEntry);
  if (draft.labels === NO_LABELS) draft.labels = new Map();
  (draft.labels as Map<string, string>).set(key, value);
}

function readEntry(tag: number, reader: WireReader, entry: { key: string; value: string }): void {
  if (tag === ENTRY.key) entry.key = reader.utf8();
  else if (tag === ENTRY.value) entry.value = reader.utf8();
  else reader.skip(tag);
}

function readAvailability(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === AVAILABILITY.state) draft.state = stateOf(reader.whole());
  else if (tag === AVAILABILITY.inFlight) draft.inFlight = reader.whole();
  else if (tag === AVAILABILITY.leaseExpireTime) draft.leaseEndMs = reader.ms();
  else if (tag === AVAILABILITY.updateTime) draft.updatedMs = reader.ms();
  else if (tag === AVAILABILITY.inFlightTime) draft.reportedMs = reader.ms();
  else reader.skip(tag);
}

function readReputation(tag: number, reader: WireReader, draft: Draft): void {
  if (tag === REPUTATION.score) draft.scorePpm = Math.round(reader.double() * PPM);
  else if (tag === REPUTATION.reliabilities) {
    const { capability, bound } = within(reader, { capability: "", bound: 0 }, readReliability);
    if (draft.reliabilityPpm === NO_RECORDS) draft.reliabilityPpm = new Map();
    (draft.reliabilityPpm as Map<string, number>).set(capability, Math.round(bound * PPM));
  } else reader.skip(tag);
}

function readReliability(
  tag: number,
  reader: WireReader,
  record: { capability: string; bound: number },
): void {
  if (tag === RELIABILITY.capability) record.capability = reader.utf8();
  else if (tag === RELIABILITY.lowerBound) record.bound = reader.double();
  else reader.skip(tag);
}

function readBreaker(reader: WireReader, draft: Draft): void {
  const { capability, state } = within(reader, { capability: "", state: 0 }, readBreakerField);
  if (draft.breakers === NO_BREAKERS) draft.breakers = new Map();
  const read = state === BreakerState.HALF_OPEN ? "HALF_OPEN" : "OPEN";
  (draft.breakers as Map<string, typeof read>).set(capability, read);
}

function readBreakerField(
  tag: number,
  reader: WireReader,
  breaker: { capability: string; state: number },
): void {
  if (tag === BREAKER.capability) breaker.capability = reader.utf8();
  else if (tag === BREAKER.state) breaker.state = reader.whole();
  else reader.skip(tag);
}

/** The scheme of a URI, in lower case. */
function schemeOf(uri: string): string | undefined {
  const scheme = uri.slice(0, Math.max(0, uri.indexOf(":"))).toLowerCase();
  return /^[a-z][a-z0-9.+-]*$/.test(scheme) ? scheme : undefined;
}
