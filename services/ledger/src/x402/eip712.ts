import { keccak_256 } from "@noble/hashes/sha3.js";

/** A member of a struct; its type is another struct, or address, uint256, bytes32 or string. */
export interface Member {
  readonly name: string;
  readonly type: string;
}

/** The structs of a message by name. */
export type Structs = Readonly<Record<string, readonly Member[]>>;

/** A struct's values: numbers are decimal strings, addresses and bytes are 0x and hex digits. */
export type Values = { readonly [member: string]: string | Values };

/** Who a message is meant for. */
export interface Domain {
  readonly name: string;
  /** Permit2 has none. */
  readonly version?: string;
  readonly chainId: bigint;
  readonly verifyingContract: string;
}

/** Hashes a domain; it is the same for all messages to one contract, so callers keep it. */
export function domainSeparator(domain: Domain): Uint8Array {
  const { name, version, chainId, verifyingContract } = domain;
  const versioned = version === undefined ? {} : { version };
  const values = { name, ...versioned, chainId: String(chainId), verifyingContract };
  return hashStruct({ EIP712Domain: domainMembers(domain) }, "EIP712Domain", values);
}

/** The members of a domain as EIP-712 orders them. */
export function domainMembers({ version }: Domain): readonly Member[] {
  return [
    { name: "name", type: "string" },
    ...(version === undefined ? [] : [{ name: "version", type: "string" }]),
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ];
}

/** The digest that a payer signs. Numbers must fit into 32 bytes. */
export function signingDigest(
  separator: Uint8Array,
  structs: Structs,
  primary: string,
  values: Values,
): Uint8Array {
  return keccak_256(
    Buffer.concat([Buffer.of(0x19, 0x01), separator, hashStruct(structs, primary, values)]),
  );
}

/** The address that an uncompressed public key (65 bytes) controls, in lower case. */
export function addressOf(publicKey: Uint8Array): string {
  return `0x${Buffer.from(keccak_256(publicKey.subarray(1))).toString("hex", 12)}`;
}

function hashStruct(structs: Structs, type: string, values: Values): Uint8Array {
  const words = (structs[type] ?? []).map((member) =>
    encode(structs, member.type, values[member.name] ?? ""),
  );
  return keccak_256(Buffer.concat([hashText(typeText(structs, type)), ...words]));
}

function encode(structs: Structs, type: string, value: string | Values): Uint8Array {
  if (typeof value !== "string") return hashStruct(structs, type, value);
  if (type === "string") return hashText(value);
  return Buffer.from(BigInt(value).toString(16).padStart(64, "0"), "hex");
}

function hashText(text: string): Uint8Array {
  return keccak_256(Buffer.from(text, "utf8"));
}

/** The struct itself, then those that it refers to by name, in the order of the alphabet. */
function typeText(structs: Structs, type: string): string {
  const others = [...new Set(referred(structs, type))].filter((name) => name !== type);
  return [type, ...others.toSorted()]
    .map((name) => {
      const members = (structs[name] ?? []).map((member) => `${member.type} ${member.name}`);
      return `${name}(${members.join(",")})`;
    })
    .join("");
}

function referred(structs: Structs, type: string): readonly string[] {
  const own = (structs[type] ?? []).map((member) => member.type).filter((name) => name in structs);
  return own.flatMap((name) => [name, ...referred(structs, name)]);
}
