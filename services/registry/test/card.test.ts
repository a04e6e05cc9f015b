import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, FlattenedSign, generateKeyPair } from "jose";
import { describe, expect, test } from "vitest";
import { canonicalJson, type Json, signedForm } from "../src/a2a/canonical.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { anId, aProfile } from "./registry.ts";

const { registry } = await registryForFile();

/** A card as A2A 1.0 has it, with what is required and some of the rest. */
function aCard(overrides: Record<string, Json> = {}): Record<string, Json> {
  return {
    name: "Route planner",
    description: "Plans routes and draws maps",
    supportedInterfaces: [
      { url: "https://routes.example/v9", protocolBinding: "X-OTHER", protocolVersion: "1.0" },
      { url: "https://routes.example/rpc", protocolBinding: "JSONRPC", protocolVersion: "1.0" },
      { url: "https://routes.example/grpc", protocolBinding: "GRPC", protocolVersion: "1.0" },
    ],
    provider: { organization: "Example", url: "https://example.com" },
    version: "1.2.0",
    documentationUrl: "https://docs.example/routes",
    capabilities: { streaming: true, pushNotifications: false },
    securitySchemes: {
      login: { openIdConnectSecurityScheme: { openIdConnectUrl: "https://x.y" } },
    },
    defaultInputModes: ["application/json", "text/plain"],
    defaultOutputModes: ["image/png"],
    skills: [
      { id: "Route-Optimizer", name: "Routes", description: "Plans", tags: ["maps"], examples: [] },
      { id: "map-generator", name: "Maps", description: "Draws", tags: ["maps"] },
    ],
    ...overrides,
  };
}

async function aSigner(kid = "key-1", extra: Record<string, string> = {}) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid };
  return {
    jwksJson: JSON.stringify({ keys: [jwk] }),
    async sign(card: Record<string, Json>): Promise<Record<string, Json>> {
      const payload = new TextEncoder().encode(signedForm(card));
      const header = { alg: "ES256", typ: "JOSE", kid, ...extra };
      const jws = await new FlattenedSign(payload).setProtectedHeader(header).sign(privateKey);
      return {
        ...card,
        signatures: [{ protected: jws.protected ?? "", signature: jws.signature }],
      };
    },
  };
}

function imported(agentId: string, card: Json, more: Record<string, unknown> = {}) {
  return registry.operator.importAgentCard({ agentId, cardJson: JSON.stringify(card), ...more });
}

describe("the form of a card that is signed", () => {
  test("has its names in order, leaves defaults out, and keeps what is required or was said", () => {
    const card = {
      skills: [],
      name: "Agent",
      description: "",
      capabilities: { streaming: false, pushNotifications: false, extensions: [] },
      securityRequirements: [],
      signatures: [{ protected: "", signature: "" }],
    };

    expect(signedForm(card)).toBe(
      '{"capabilities":{"pushNotifications":false,"streaming":false},"description":"","name":"Agent","skills":[]}',
    );
  });

  test("is that of RFC 8785", () => {
    const value = { "€": "\u000f\n", "\r": [1e21, 1e-7, 0.1, -0], a: "</script>", A: null };

    expect(canonicalJson(value)).toBe(
      '{"\\r":[1e+21,1e-7,0.1,0],"A":null,"a":"</script>","€":"\\u000f\\n"}',
    );
  });
});

describe("ImportAgentCard", () => {
  test("registers the agent that a card describes, its skills as capabilities", async () => {
    const agentId = anId();

    const { agent, changes, ignoredMembers } = await imported(agentId, aCard());

    expect(agent?.profile).toMatchObject({
      displayName: "Route planner",
      endpoint: { uri: "https://routes.example/rpc", protocol: "a2a" },
      capabilities: ["map-generator", "route-optimizer"],
      metadata: { "a2a.version": "1.2.0", "a2a.output_modes": "image/png" },
    });
    expect(changes.map(({ field }) => field)).toContain("capabilities");
    expect(ignoredMembers).toEqual(["provider", "capabilities", "securitySchemes"]);
    expect((await registry.operator.getAgent({ agentId })).agent).toEqual(agent);
  });

  test("changes of a registered agent what the card says, and nothing else, only when asked", async () => {
    const agentId = anId();
    const pricing = { costPerTask: { micros: 1n, currencyCode: "EUR" } };
    const metadata = { team: "blue", "a2a.version": "0" };
    const profile = aProfile({ pricing, metadata });
    await registry.operator.registerAgent({ agentId, profile, lease: { seconds: 60n } });

    const refusal = await refused(imported(agentId, aCard()));
    const { agent, changes } = await imported(agentId, aCard(), { replaceExisting: true });
    const again = await imported(agentId, aCard());

    expect(refusal).toMatchObject({ reason: "AGENT_ALREADY_REGISTERED" });
    expect(agent?.profile).toMatchObject({
      pricing,
      metadata: { team: "blue", "a2a.version": "1.2.0" },
    });
    expect(agent?.availability?.leaseExpireTime).toBeDefined();
    expect(changes.find(({ field }) => field === "capabilities")).toMatchObject({
      beforeJson: '["python"]',
      afterJson: '["map-generator","route-optimizer"]',
    });
    expect(again).toMatchObject({ agent: { etag: agent?.etag }, changes: [] });
  });

  test("with validate_only tells the difference, and changes nothing", async () => {
    const agentId = anId();
    await imported(agentId, aCard());

    const { changes } = await imported(agentId, aCard({ name: "Other" }), {
      replaceExisting: true,
      validateOnly: true,
    });

    expect(changes).toMatchObject([
      { field: "display_name", beforeJson: '"Route planner"', afterJson: '"Other"' },
    ]);
    const { agent } = await registry.operator.getAgent({ agentId });
    expect(agent?.profile?.displayName).toBe("Route planner");
  });

  test("answers a repeated request with the first answer", async () => {
    const [agentId, requestId] = [anId(), anId("request")];
    const first = await imported(agentId, aCard(), { requestId });

    expect(await imported(agentId, aCard(), { requestId })).toEqual(first);
  });

  test.each<[string, string, readonly string[]]>([
    ["no JSON", "{!", ["card_json"]],
    ["no object", "[]", ["card_json"]],
    ["too deep", `{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}`, ["card_json"]],
    ["nothing", "{}", ["card.name", "card.supportedInterfaces", "card.skills"]],
    [
      "other types",
      '{"name":1,"supportedInterfaces":[{}],"skills":[{"id":"a b"},7]}',
      ["card.name", "card.supportedInterfaces", "card.skills[0].id", "card.skills[1].id"],
    ],
    [
      "a card of A2A 0.3",
      '{"name":"x","url":"https://x","skills":[{"id":"a"}]}',
      ["card.supportedInterfaces"],
    ],
  ])("refuses %s with every fault", async (_what, cardJson, fields) => {
    const refusal = await refused(registry.operator.importAgentCard({ agentId: anId(), cardJson }));

    expect(refusal).toMatchObject({ reason: "INVALID_AGENT_CARD", fields });
  });

  test("refuses what would break a rule of the contract, such as personal data", async () => {
    const supportedInterfaces = [{ url: "no uri", protocolBinding: "GRPC" }];
    const skills = [{ id: "0151-23456789" }];

    const refusal = await refused(imported(anId(), aCard({ supportedInterfaces, skills })));

    const fields = ["profile.endpoint.uri", "profile.capabilities[0]"];
    expect(refusal).toMatchObject({ reason: "INVALID_PROFILE", fields });
  });

  test("is for the agent itself and for operators", async () => {
    const agentId = anId();
    const cardJson = JSON.stringify(aCard());

    await registry.as(`agent:${agentId}`).importAgentCard({ agentId, cardJson });
    const call = registry.as(`agent:${anId()}`).importAgentCard({ agentId, cardJson });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("a card with every member that the specification's sample has", () => {
  const cardJson = readFileSync(new URL("./fixtures/full-card.json", import.meta.url), "utf8");
  const read = () => JSON.parse(cardJson) as Record<string, Json>;

  test("is imported, exported and imported again without a difference", async () => {
    const [agentId, elsewhere] = [anId(), anId()];
    const { operator } = registry;
    const told = await operator.importAgentCard({ agentId, cardJson, validateOnly: true });
    const nobody = await refused(operator.getAgent({ agentId }));
    const first = await operator.importAgentCard({ agentId, cardJson });

    const exported = await operator.exportAgentCard({ agentId });
    const back = { cardJson: exported.cardJson, replaceExisting: true };
    const again = await operator.importAgentCard({ ...back, agentId, validateOnly: true });
    await operator.importAgentCard({ ...back, agentId: elsewhere });

    expect(nobody.reason).toBe("AGENT_NOT_FOUND");
    expect(told.changes).toEqual(first.changes);
    expect(told.changes.map(({ field }) => field)).toEqual([
      "capabilities",
      "description",
      "display_name",
      "endpoint",
      "metadata",
    ]);
    expect(told.ignoredMembers).toEqual([
      "provider",
      "iconUrl",
      "capabilities",
      "securitySchemes",
      "security",
      "securityRequirements",
    ]);
    expect(told.signatures).toMatchObject([{ algorithm: "ES256", verified: false }]);
    expect(again).toMatchObject({ changes: [], ignoredMembers: ["capabilities"], signatures: [] });
    expect(await operator.exportAgentCard({ agentId: elsewhere })).toEqual(exported);
  });

  test("keeps what the market reckons with", async () => {
    const agentId = anId();
    await registry.operator.importAgentCard({ agentId, cardJson });

    const { cardJson: exported } = await registry.operator.exportAgentCard({ agentId });

    const { supportedInterfaces, skills, ...card } = read();
    const { defaultInputModes, defaultOutputModes, version, documentationUrl, name, description } =
      card as Record<string, Json>;
    expect(JSON.parse(exported)).toEqual({
      ...{ name, description, version, documentationUrl, defaultInputModes, defaultOutputModes },
      supportedInterfaces: [(supportedInterfaces as Json[])[0]],
      capabilities: {},
      skills: (skills as { id: string }[])
        .map(({ id }) => ({ id, name: id, description: id, tags: [id] }))
        .sort((one, other) => one.id.localeCompare(other.id)),
    });
  });

  test("changes under a registered agent what differs, and validate_only tells it", async () => {
    const agentId = anId();
    await registry.operator.importAgentCard({ agentId, cardJson });
    const [first, ...others] = read()["skills"] as Json[];
    const card = { ...read(), version: "2.8.0", skills: others };

    const { changes } = await imported(agentId, card, {
      replaceExisting: true,
      validateOnly: true,
    });

    expect(first).toMatchObject({ id: "tide-forecast" });
    expect(changes).toMatchObject([
      {
        field: "capabilities",
        beforeJson: '["depth-chart","tide-forecast"]',
        afterJson: '["depth-chart"]',
      },
      { field: "metadata", afterJson: expect.stringContaining('"a2a.version":"2.8.0"') },
    ]);
  });
});

describe("signatures of a card", () => {
  test("are verified by the keys that are given, also where defaults are written out", async () => {
    const { sign, jwksJson } = await aSigner();
    const signed = await sign(aCard());

    const options = { jwksJson, requireSignature: true };
    const { signatures } = await imported(anId(), signed, options);
    const padded = await imported(anId(), { ...signed, securityRequirements: [] }, options);

    expect(signatures).toMatchObject([{ keyId: "key-1", algorithm: "ES256", verified: true }]);
    expect(padded.signatures[0]?.verified).toBe(true);
  });

  test("of a card that was changed since are refused", async () => {
    const { sign, jwksJson } = await aSigner();
    const signed = { ...(await sign(aCard())), description: "Something else" };

    const refusal = await refused(imported(anId(), signed, { jwksJson }));

    expect(refusal).toMatchObject({
      reason: "INVALID_CARD_SIGNATURE",
      fields: ["card.signatures[0]"],
    });
  });

  test("of keys that were not given say nothing", async () => {
    const { sign } = await aSigner("theirs");
    const { jwksJson } = await aSigner("ours");
    const signed = await sign(aCard());

    const { signatures } = await imported(anId(), signed, { jwksJson });
    const refusal = await refused(imported(anId(), signed, { jwksJson, requireSignature: true }));

    expect(signatures).toMatchObject([{ keyId: "theirs", verified: false }]);
    expect(refusal.reason).toBe("CARD_NOT_SIGNED");
  });

  test("without an algorithm, or by a secret that everybody knows, are refused", async () => {
    const { jwksJson } = await aSigner();
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ alg, kid: "key-1" })).toString("base64url");

    for (const alg of ["none", "HS256"]) {
      const card = aCard({ signatures: [{ protected: header(alg), signature: "" }] });
      const refusal = await refused(imported(anId(), card, { jwksJson }));
      expect(refusal.reason).toBe("INVALID_CARD_SIGNATURE");
    }
  });

  test("never make the registry fetch anything", async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      response.end("{}");
    }).listen(0, "127.0.0.1");
    const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    await new Promise((resolve) => server.once("listening", resolve));
    const { sign } = await aSigner("key-1", { jku: url() });
    const card = await sign(aCard({ documentationUrl: url(), iconUrl: url() }));

    await imported(anId(), card);

    server.close();
    expect(asked).toBe(0);
  });
});

describe("ExportAgentCard", () => {
  test("writes a card that changes nothing when it is imported again", async () => {
    const agentId = anId();
    await imported(agentId, aCard());

    const { cardJson } = await registry.operator.exportAgentCard({ agentId });
    const { changes } = await imported(agentId, JSON.parse(cardJson) as Json, {
      replaceExisting: true,
    });

    expect(JSON.parse(cardJson)).toMatchObject({
      name: "Route planner",
      version: "1.2.0",
      supportedInterfaces: [{ protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
      skills: [{ id: "map-generator" }, { id: "route-optimizer" }],
      capabilities: {},
    });
    expect(changes).toEqual([]);
  });

  test("refuses an agent without an endpoint, and one that is not there", async () => {
    const agentId = anId();
    await registry.operator.registerAgent({ agentId, profile: aProfile() });

    const [bare, nobody] = await Promise.all(
      [agentId, anId()].map((id) => refused(registry.operator.exportAgentCard({ agentId: id }))),
    );

    expect(bare).toMatchObject({ reason: "AGENT_WITHOUT_ENDPOINT" });
    expect(nobody).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });
});
