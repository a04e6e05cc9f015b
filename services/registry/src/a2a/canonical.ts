/** Any JSON value. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json };

/** The canonical form of RFC 8785: names in order of their code units, and everything written as ECMAScript does. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`);
  return `{${members.join(",")}}`;
}

/** Whether a value is an object of JSON, no list and not null. */
export function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Members that A2A 1.0 requires or marks `optional`: what is given of them counts even where it is a default. Any other
 * member that has its default is as good as absent (section 8.4.1).
 */
const KEPT: ReadonlySet<string> = new Set([
  ...["name", "description", "supportedInterfaces", "version", "capabilities", "skills"],
  ...["defaultInputModes", "defaultOutputModes", "documentationUrl", "iconUrl"],
  ...["url", "protocolBinding", "protocolVersion", "organization", "id", "tags"],
  ...["streaming", "pushNotifications", "extendedAgentCard"],
  ...["location", "scheme", "flows", "openIdConnectUrl", "authorizationUrl", "tokenUrl"],
  ...["deviceAuthorizationUrl", "scopes"],
]);
/** Values of these are the agent's own, and stay as they are. */
const OPAQUE: ReadonlySet<string> = new Set(["params", "scopes"]);
/** Their members are names of the author's choosing. */
const MAPS: ReadonlySet<string> = new Set(["securitySchemes", "schemes"]);
/** Within these a description is neither required nor optional. */
const WITHOUT_REQUIRED_DESCRIPTION: ReadonlySet<string> = new Set([
  "extensions",
  "securitySchemes",
]);

/** What is signed of a card: without its signatures, and without members that have their defaults. */
export function signedForm(card: { readonly [name: string]: Json }): string {
  const { signatures: _, ...rest } = card;
  return canonicalJson(withoutDefaults(rest, KEPT));
}

/** The same with every member as it stands, which is what signers do that know no defaults. */
export function plainForm(card: { readonly [name: string]: Json }): string {
  const { signatures: _, ...rest } = card;
  return canonicalJson(rest);
}

function withoutDefaults(value: Json, kept: ReadonlySet<string>): Json {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item, kept));
  if (!isObject(value)) return value;
  const members = Object.entries(value).flatMap(([name, member]): [string, Json][] => {
    const isEmptyMap = MAPS.has(name) && isObject(member) && Object.keys(member).length === 0;
    if ((isDefault(member) || isEmptyMap) && !kept.has(name)) return [];
    if (OPAQUE.has(name)) return [[name, member]];
    const inner = WITHOUT_REQUIRED_DESCRIPTION.has(name) ? NO_DESCRIPTION : kept;
    if (!MAPS.has(name) || !isObject(member)) return [[name, withoutDefaults(member, inner)]];
    const entries = Object.entries(member).map(([key, one]) => [key, withoutDefaults(one, inner)]);
    return [[name, Object.fromEntries(entries) as Json]];
  });
  return Object.fromEntries(members);
}

const NO_DESCRIPTION: ReadonlySet<string> = new Set(
  [...KEPT].filter((name) => name !== "description"),
);

function isDefault(value: Json): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === "" || value === false || value === 0 || value === null;
}
