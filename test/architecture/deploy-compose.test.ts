import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  calleesOf,
  environmentFaults,
  readKustomization,
  SERVICES,
  variablesOfService,
} from "./deploy.ts";
import { readText } from "./tree.ts";

interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(readText("deploy/compose.yaml").text, { merge: true }) as Compose;

describe.each(SERVICES)("the composed $name", ({ name, port, metricsPort }) => {
  const service = compose.services[name];
  const environment = new Map(Object.entries(service?.environment ?? {}));

  test("sets every variable that the service requires and none that it does not read", async () => {
    const variables = await variablesOfService(name);

    expect(variables, `services/${name}/src/config.ts`).toBeDefined();
    expect(environmentFaults(variables ?? [], environment)).toEqual([]);
  });

  test("runs the one image with its own name", () => {
    const [image] = readKustomization().images;

    expect(service?.image).toBe(`${image?.name}:${image?.newTag}`);
    expect(service?.command).toEqual([name]);
    expect(service?.build).toEqual({ context: "..", dockerfile: "deploy/Dockerfile" });
  });

  test("is open at its usual ports, to this machine only", () => {
    expect(environment.get("BOURSE_LISTEN")).toBe(`0.0.0.0:${port}`);
    expect(environment.get("BOURSE_METRICS_LISTEN")).toBe(`0.0.0.0:${metricsPort}`);
    expect(service?.ports).toEqual([port, metricsPort].map((p) => `127.0.0.1:${p}:${p}`));
  });

  test("calls its peers at the ports that they listen on", () => {
    for (const [variable, address] of environment) {
      const peer = /^BOURSE_([A-Z]+)_ADDRESS$/.exec(variable)?.[1]?.toLowerCase();
      if (peer === undefined) continue;
      expect(address).toBe(`dns:///${peer}:${SERVICES.find((one) => one.name === peer)?.port}`);
    }
  });

  test("starts when its keys are made and all that it calls is healthy", async () => {
    const callees = calleesOf((await variablesOfService(name)) ?? []);
    const first = callees.filter((callee) => !isCalledLater(name, callee));
    const healthy = first.map((callee) => [callee, { condition: "service_healthy" }]);

    expect(service?.depends_on).toEqual({
      keys: { condition: "service_completed_successfully" },
      ...Object.fromEntries(healthy),
    });
  });

  test("is asked for its health, writes nowhere and may do nothing special", () => {
    expect(service?.healthcheck?.test).toContain("probe");
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  });
});

describe("the compose file", () => {
  test("has the stores with health checks, the keys, the four services and no more", () => {
    const names = [...SERVICES.map(({ name }) => name), "postgres", "redis", "keys"];

    expect(Object.keys(compose.services).sort()).toEqual(names.sort());
    expect(compose.services["postgres"]?.healthcheck?.test).toContain("pg_isready");
    expect(compose.services["redis"]?.healthcheck?.test).toContain("ping");
  });

  test("names versions of the stores, Postgres 18 and Redis 8", () => {
    expect(compose.services["postgres"]?.image).toMatch(/^postgres:18\.\d+/);
    expect(compose.services["redis"]?.image).toMatch(/^redis:8\.\d+/);
  });

  test("mounts volumes that it declares, and declares none in vain", () => {
    const mounted = Object.values(compose.services).flatMap((service) =>
      (service.volumes ?? []).map((volume) => volume.split(":")[0]),
    );

    expect([...new Set(mounted)].sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  test("has data of Postgres 18 where its image keeps them", () => {
    expect(compose.services["postgres"]?.volumes).toEqual(["postgres:/var/lib/postgresql"]);
  });
});

/** The auction cannot start without the registry, which calls it for erasures only, and waits for it. */
function isCalledLater(caller: string, callee: string): boolean {
  return caller === "registry" && callee === "auction";
}
