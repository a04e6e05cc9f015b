import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AccessGuard,
  createGuard,
  createSigner,
  generateKeys,
  type KeyFiles,
  parsePrincipal,
} from "@bourse/access";
import { Role } from "@bourse/proto/bourse/access/v1/access_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import type { JsonValue } from "@bufbuild/protobuf";
import { base64url, importJWK, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deskWith, methodOf, requestOf } from "./contract.ts";

const START = Date.parse("2026-11-20T12:00:00Z");

const desk = deskWith({
  Open: { roles: [Role.ANYONE] },
  Bid: { roles: [Role.AGENT, Role.OPERATOR], agentFields: ["agent_id"] },
  BatchBid: { roles: [Role.AGENT], agentFields: ["bids.agent_id"] },
  Confer: { roles: [Role.AGENT], agentFields: ["agents"] },
  Deal: { roles: [Role.AGENT], agentFields: ["agent_id", "bid.agent_id"] },
  Buy: { roles: [Role.AGENT], agentFields: ["buyer_id"] },
  Settle: { roles: [Role.OPERATOR, Role.SERVICE], services: ["auction"] },
  Report: { roles: [Role.AUDITOR, Role.SERVICE] },
  Forgotten: undefined,
});

let directory: string;
let files: KeyFiles;
let guard: AccessGuard;
let nowMs: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bourse-guard-"));
  files = await generateKeys(directory);
  nowMs = START;
  guard = createGuard({ jwksFile: files.jwksFile, now });
});
afterEach(() => rm(directory, { recursive: true }));

function now(): Date {
  return new Date(nowMs);
}

async function mint(principal: string, ttlSeconds = 60): Promise<string> {
  return (await createSigner({ keyFile: files.keyFile, now })).mint(principal, ttlSeconds);
}

async function authenticate(method: string, authorization?: string) {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return guard.authenticate(methodOf(desk, method), headers);
}

/** What became of a call: "ok" or the reason with the telling part of its metadata. */
async function call(method: string, principal?: string, json: JsonValue = {}): Promise<string> {
  try {
    const token = principal === undefined ? undefined : `Bearer ${await mint(principal)}`;
    const caller = await authenticate(method, token);
    const desc = methodOf(desk, method);
    guard.authorize(desc, caller, requestOf(desc.input, json));
    return "ok";
  } catch (error) {
    const { problem, field } = metadataOf(error);
    return [reasonOf(error) ?? String(error), problem ?? field ?? ""].join(" ").trim();
  }
}

async function problemOf(authorization: string): Promise<string | undefined> {
  const error = await authenticate("Report", authorization).catch((thrown: unknown) => thrown);
  expect(reasonOf(error)).toBe("UNAUTHENTICATED");
  expect(String(error)).toContain("bourse token");
  expect(String(error)).not.toContain("eyJ");
  return metadataOf(error)["problem"];
}

describe("who is calling", () => {
  test.each(["agent:a1", "operator", "auditor", "service:auction"])(
    "is %s by its token",
    async (p) => {
      const caller = await authenticate("Open", `Bearer ${await mint(p)}`);

      expect(caller).toEqual(parsePrincipal(p));
    },
  );

  test("is nobody without a token, where anyone may call", async () => {
    expect(await authenticate("Open")).toEqual({ kind: "anonymous", id: "" });
  });

  test("is asked where a token is needed", async () => {
    expect(await call("Report")).toBe("UNAUTHENTICATED MISSING");
  });

  test("may write the scheme in any case", async () => {
    expect(await authenticate("Report", `bEARER ${await mint("auditor")}`)).toEqual({
      kind: "auditor",
      id: "",
    });
  });

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "Bearer a",
    "Bearer a.b.c",
    "Bearer a b",
    "x.y.z",
  ])("is refused with %j", async (authorization) => {
    expect(await problemOf(authorization)).toBe("MALFORMED");
  });

  test("is refused with two tokens, and with one of excessive length", async () => {
    const token = await mint("auditor");

    expect(await problemOf(`Bearer ${token}, Bearer ${token}`)).toBe("MALFORMED");
    expect(await problemOf(`Bearer ${token}${"A".repeat(5_000)}`)).toBe("MALFORMED");
  });

  test("is not let in with a broken token even where no token is needed", async () => {
    await expect(authenticate("Open", "Bearer x")).rejects.toThrow(/not "Bearer <JWT>"/);
  });

  test("is not asked for health and reflection, whatever token the probe sends", async () => {
    for (const name of ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]) {
      const probe = methodOf(deskWith({ Check: undefined }, name), "Check");
      const caller = await guard.authenticate(probe, new Headers({ authorization: "Bearer x" }));

      expect(caller.kind).toBe("anonymous");
      guard.authorize(probe, caller, requestOf(probe.input, {}));
    }
  });
});

describe("a token", () => {
  test("is good until the second it expires, seen before or not", async () => {
    const authorization = `Bearer ${await mint("auditor", 60)}`;
    const unseen = `Bearer ${await mint("auditor", 59)}`;

    nowMs = START + 58_999;
    await authenticate("Report", authorization);
    nowMs = START + 59_999;
    await authenticate("Report", authorization);
    nowMs = START + 60_000;
    expect(await problemOf(authorization)).toBe("EXPIRED");
    expect(await problemOf(authorization)).toBe("EXPIRED");
    expect(await problemOf(unseen)).toBe("EXPIRED");
  });

  test("is refused when any part of it is changed", async () => {
    const [header = "", payload = "", signature = ""] = (await mint("agent:a1")).split(".");
    const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload)));
    const forged = base64url.encode(JSON.stringify({ ...claims, sub: "operator" }));
    const unsigned = base64url.encode(JSON.stringify({ alg: "none" }));

    expect(await problemOf(`Bearer ${header}.${forged}.${signature}`)).toBe("BAD_SIGNATURE");
    expect(await problemOf(`Bearer ${unsigned}.${payload}.`)).toBe("MALFORMED");
    expect(await problemOf(`Bearer ${header}.${payload}.`)).toBe("BAD_SIGNATURE");
  });

  test("signed with the public key as if it were a shared secret is refused", async () => {
    const { keys } = JSON.parse(await readFile(files.jwksFile, "utf8"));
    const forged = await new SignJWT({ sub: "operator", iss: "bourse", aud: "bourse" })
      .setProtectedHeader({ alg: "HS256", kid: keys[0].kid })
      .setExpirationTime("1h")
      .sign(base64url.decode(keys[0].x));

    expect(await problemOf(`Bearer ${forged}`)).toBe("MALFORMED");
  });

  test.each([
    ["another issuer", { iss: "else" }, "WRONG_ISSUER"],
    ["another audience", { aud: "else" }, "WRONG_AUDIENCE"],
    ["no audience", { aud: undefined }, "WRONG_AUDIENCE"],
    ["no subject", { sub: undefined }, "WRONG_SUBJECT"],
    ["an unknown subject", { sub: "root" }, "WRONG_SUBJECT"],
    ["nobody as its subject", { sub: "anonymous" }, "WRONG_SUBJECT"],
    ["a subject that is no text", { sub: 7 }, "WRONG_SUBJECT"],
    ["no end", { exp: undefined }, "MALFORMED"],
    ["an end that is no number", { exp: "never" }, "MALFORMED"],
    ["a beginning in the future", { nbf: START / 1_000 + 5 }, "NOT_YET_VALID"],
  ])("with %s is refused", async (_title, claims, problem) => {
    const jwk = JSON.parse(await readFile(files.keyFile, "utf8"));
    const payload = { iss: "bourse", aud: "bourse", sub: "auditor", exp: START / 1_000 + 60 };
    const token = await new SignJWT({ ...payload, ...claims } as never)
      .setProtectedHeader({ alg: "EdDSA", kid: jwk.kid })
      .sign(await importJWK(jwk, "EdDSA"));

    expect(await problemOf(`Bearer ${token}`)).toBe(problem);
  });

  test("of another market is refused", async () => {
    const other = await generateKeys(join(directory, "other"));
    const signer = await createSigner({ keyFile: other.keyFile, now });

    expect(await problemOf(`Bearer ${await signer.mint("operator", 60)}`)).toBe("UNKNOWN_KEY");
  });

  test("under a known key id but with another key is refused", async () => {
    const other = await generateKeys(join(directory, "other"));
    const { kid } = JSON.parse(await readFile(files.keyFile, "utf8"));
    const stolen = { ...JSON.parse(await readFile(other.keyFile, "utf8")), kid };
    await writeFile(other.keyFile, JSON.stringify(stolen));
    const signer = await createSigner({ keyFile: other.keyFile, now });

    expect(await problemOf(`Bearer ${await signer.mint("operator", 60)}`)).toBe("BAD_SIGNATURE");
  });
});

describe("the key file", () => {
  test("is read again for an unknown key, but not for each such call", async () => {
    await guard.load();
    await rm(files.keyFile);
    await generateKeys(directory);
    const authorization = `Bearer ${await mint("auditor")}`;

    expect(await problemOf(authorization)).toBe("UNKNOWN_KEY");
    nowMs += 2_000;
    expect(await authenticate("Report", authorization)).toEqual({ kind: "auditor", id: "" });
  });

  test("takes the power of a removed key away within ten seconds, tokens seen or not", async () => {
    const authorization = `Bearer ${await mint("auditor")}`;
    await authenticate("Report", authorization);
    const other = await generateKeys(join(directory, "other"));
    await writeFile(files.jwksFile, await readFile(other.jwksFile));

    nowMs += 10_000;

    expect(await problemOf(authorization)).toBe("UNKNOWN_KEY");
  });

  test("takes that power away also from tokens that are checked while it is read", async () => {
    const tokens = await Promise.all(
      Array.from({ length: 60 }, (_, index) => mint(`agent:a${index}`)),
    );
    const other = await generateKeys(join(directory, "other"));
    const stranger = await (await createSigner({ keyFile: other.keyFile, now })).mint(
      "auditor",
      60,
    );
    await guard.load();
    await writeFile(files.jwksFile, await readFile(other.jwksFile));
    nowMs += 3_000;

    // A key that is not known yet has the file read, while the old one is still in force.
    const reading = authenticate("Report", `Bearer ${stranger}`);
    const checks: Promise<unknown>[] = [];
    for (const token of tokens) {
      checks.push(authenticate("Open", `Bearer ${token}`).catch(() => {}));
      await new Promise(setImmediate);
    }
    await Promise.all([reading, ...checks]);

    const problems = await Promise.all(tokens.map((token) => problemOf(`Bearer ${token}`)));
    expect(new Set(problems)).toEqual(new Set(["UNKNOWN_KEY"]));
  });

  test.each([
    ["missing", undefined],
    ["broken", "{"],
    ["emptied", '{"keys":[]}'],
  ])("that is %s for a while locks nobody out", async (_title, content) => {
    await guard.load();
    if (content === undefined) await rm(files.jwksFile);
    else await writeFile(files.jwksFile, content);

    nowMs += 60_000;

    expect(await call("Report", "auditor")).toBe("ok");
  });

  test.each([
    ["missing", undefined],
    ["no JSON", "{"],
    ["no key set", "[]"],
    ["without keys", '{"keys":[]}'],
    ["with keys of other kinds only", '{"keys":[{"kid":"a","kty":"RSA"}]}'],
    [
      "with wrong principals",
      '{"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"A","principals":"all"}]}',
    ],
  ])("that is %s at start is an error that names it", async (_title, content) => {
    if (content === undefined) await rm(files.jwksFile);
    else await writeFile(files.jwksFile, content);

    await expect(guard.load()).rejects.toThrow(files.jwksFile);
  });

  test("limits a key with principals to these", async () => {
    const jwks = JSON.parse(await readFile(files.jwksFile, "utf8"));
    jwks.keys[0].principals = ["service:auction"];
    await writeFile(files.jwksFile, JSON.stringify(jwks));

    expect(await call("Settle", "service:auction")).toBe("ok");
    expect(await call("Settle", "operator")).toBe("UNAUTHENTICATED KEY_NOT_ALLOWED");
    expect(await call("Report", "service:ledger")).toBe("UNAUTHENTICATED KEY_NOT_ALLOWED");
  });
});

describe("who may call", () => {
  test.each([
    ["Open", undefined, "ok"],
    ["Open", "agent:a1", "ok"],
    ["Open", "service:x", "ok"],
    ["Bid", "operator", "ok"],
    ["Bid", "auditor", "PERMISSION_DENIED"],
    ["Bid", "service:auction", "PERMISSION_DENIED"],
    ["Settle", "service:auction", "ok"],
    ["Settle", "service:registry", "PERMISSION_DENIED"],
    ["Settle", "operator", "ok"],
    ["Settle", "agent:auction", "PERMISSION_DENIED"],
    ["Report", "service:registry", "ok"],
    ["Report", "agent:a1", "PERMISSION_DENIED"],
    ["Forgotten", undefined, "PERMISSION_DENIED"],
    ["Forgotten", "operator", "PERMISSION_DENIED"],
  ])("%s by %s is %s", async (method, principal, outcome) => {
    expect(await call(method, principal)).toBe(outcome);
  });

  test("is decided before a message is read, so that an empty stream gets nowhere", async () => {
    const refused = authenticate("Report", `Bearer ${await mint("agent:a1")}`);

    await expect(refused).rejects.toMatchObject({
      reason: "PERMISSION_DENIED",
      message: "agent:a1 may not call Report, which is open to: auditor, service",
      metadata: { principal: "agent:a1", method: "test.v1.Desk/Report" },
    });
  });
});

describe("an agent", () => {
  test.each<[string, JsonValue, string]>([
    ["Bid", { agentId: "a1" }, "ok"],
    ["Bid", { agentId: "a2" }, "PERMISSION_DENIED agent_id"],
    ["Bid", { agentId: "A1" }, "PERMISSION_DENIED agent_id"],
    ["Bid", {}, "PERMISSION_DENIED agent_id"],
    ["BatchBid", { bids: [{ agentId: "a1" }, { agentId: "a1" }] }, "ok"],
    [
      "BatchBid",
      { bids: [{ agentId: "a1" }, { agentId: "a2" }] },
      "PERMISSION_DENIED bids.agent_id",
    ],
    ["BatchBid", { bids: [{ agentId: "a1" }, {}] }, "PERMISSION_DENIED bids.agent_id"],
    ["BatchBid", {}, "PERMISSION_DENIED bids.agent_id"],
    ["Confer", { agents: ["a1", "a1"] }, "ok"],
    ["Confer", { agents: ["a1", "a2"] }, "PERMISSION_DENIED agents"],
    ["Confer", {}, "PERMISSION_DENIED agents"],
    ["Deal", { agentId: "a1", bid: { agentId: "a1" } }, "ok"],
    ["Deal", { agentId: "a1", bid: { agentId: "a2" } }, "PERMISSION_DENIED bid.agent_id"],
    ["Deal", { agentId: "a1" }, "PERMISSION_DENIED bid.agent_id"],
    ["Buy", { buyerId: "a1" }, "ok"],
    ["Buy", { buyerId: "a2" }, "PERMISSION_DENIED buyer_id"],
    ["Buy", { counter: { agentId: "a1" } }, "PERMISSION_DENIED buyer_id"],
    ["Buy", { sellerId: "a1" }, "PERMISSION_DENIED buyer_id"],
  ])("that calls %s with %j: %s", async (method, request, outcome) => {
    expect(await call(method, "agent:a1", request)).toBe(outcome);
  });

  test("is bound by its id, an operator is not", async () => {
    expect(await call("Bid", "operator", { agentId: "a2" })).toBe("ok");
  });
});
