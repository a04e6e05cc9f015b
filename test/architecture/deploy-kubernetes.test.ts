import { describe, expect, test } from "vitest";
import {
  BASE,
  type Container,
  calleesOf,
  environmentFaults,
  environmentOf,
  type Manifest,
  type PodSpec,
  readKustomization,
  readManifests,
  SERVICES,
  selects,
  variablesOfService,
} from "./deploy.ts";
import { allPaths } from "./tree.ts";

const manifests = readManifests();
const kustomization = readKustomization();

const PORTS = { postgres: 5432, redis: 6379 } as const;
const CLOSE_SECONDS = 5;

describe("the kustomization", () => {
  test("lists every manifest of its folder and no other", () => {
    const files = allPaths()
      .filter((path) => path.startsWith(`${BASE}/`) && !path.endsWith("/kustomization.yaml"))
      .map((path) => path.slice(BASE.length + 1));

    expect([...kustomization.resources].sort()).toEqual(files);
  });

  test("deploys into the namespace that it makes", () => {
    expect(find("Namespace", kustomization.namespace)).toBeDefined();
  });

  test("gives a version to the one image that every container runs", () => {
    const images = pods().flatMap(({ spec }) => spec.containers.map((one) => one.image));

    expect([...new Set(images)]).toEqual(kustomization.images.map((image) => image.name));
    expect(kustomization.images.map((image) => image.newTag)).not.toContain("latest");
  });

  test("makes no two things of one kind and name", () => {
    const names = manifests.map((one) => `${one.kind}/${one.metadata.name}`);

    expect(names).toEqual([...new Set(names)]);
  });
});

describe.each(SERVICES)("the deployment of $name", ({ name, port, metricsPort }) => {
  const deployment = get("Deployment", name);
  const container = onlyContainer(deployment);

  test("sets every variable that the service requires and none that it does not read", async () => {
    const variables = await variablesOfService(name);

    expect(variables, `services/${name}/src/config.ts`).toBeDefined();
    expect(environmentFaults(variables ?? [], environmentOf(container, manifests))).toEqual([]);
  });

  test("listens where the service does by itself", async () => {
    const variables = (await variablesOfService(name)) ?? [];
    const listen = variables.find((variable) => variable.name === "BOURSE_LISTEN");

    expect(listen?.default).toBe(`0.0.0.0:${port}`);
    expect(environmentOf(container, manifests).get("BOURSE_LISTEN")).toBe(listen?.default);
    expect(environmentOf(container, manifests).get("BOURSE_METRICS_LISTEN")).toBe(
      `0.0.0.0:${metricsPort}`,
    );
    expect(container.ports).toEqual([
      { name: "grpc", containerPort: port },
      { name: "metrics", containerPort: metricsPort },
    ]);
  });

  test("calls its peers round robin at the ports that they listen on", () => {
    const environment = [...environmentOf(container, manifests)];
    const addresses = environment.filter(([variable]) => /_ADDRESS$/.test(variable));

    expect(addresses).toEqual(
      addresses.map(([variable]) => {
        const peer = /^BOURSE_([A-Z]+)_ADDRESS$/.exec(variable)?.[1]?.toLowerCase() ?? "";
        return [variable, `dns:///${peer}:${serviceOf(peer).port}`];
      }),
    );
  });

  test("is asked for its health over gRPC: at its start, every 5 s for calls, every 10 s for life", () => {
    const { startupProbe, readinessProbe, livenessProbe } = container;

    expect(startupProbe?.grpc).toEqual({ port });
    expect(readinessProbe).toMatchObject({ grpc: { port }, periodSeconds: 5 });
    expect(livenessProbe).toMatchObject({ grpc: { port }, periodSeconds: 10 });
  });

  test("is reached by a headless service that selects its pods and names their ports", () => {
    const service = get("Service", name);

    expect(service.spec?.clusterIP).toBe("None");
    expect(selects(service.spec?.selector, podLabels(deployment))).toBe(true);
    expect(service.spec?.ports).toMatchObject([
      { name: "grpc", port, targetPort: "grpc" },
      { name: "metrics", port: metricsPort, targetPort: "metrics" },
    ]);
  });

  test("leaves the number of replicas to its autoscaler: 3 to 10, at 50% CPU and 70% memory", () => {
    const { spec } = get("HorizontalPodAutoscaler", name);

    expect(deployment.spec?.replicas).toBeUndefined();
    expect(spec?.scaleTargetRef).toEqual({
      apiVersion: deployment.apiVersion,
      kind: "Deployment",
      name,
    });
    expect([spec?.minReplicas, spec?.maxReplicas]).toEqual([3, 10]);
    expect(
      spec?.metrics?.map(({ resource }) => [resource.name, resource.target.averageUtilization]),
    ).toEqual([
      ["cpu", 50],
      ["memory", 70],
    ]);
    expect(spec?.behavior?.scaleDown?.stabilizationWindowSeconds).toBe(300);
    expect(container.resources?.requests).toMatchObject({
      cpu: expect.any(String),
      memory: expect.any(String),
    });
  });

  test("loses at most one pod at a time to maintenance", () => {
    const { spec } = get("PodDisruptionBudget", name);

    expect(spec?.maxUnavailable).toBe(1);
    expect(selects(spec?.selector?.matchLabels, podLabels(deployment))).toBe(true);
  });

  test("is scraped on its metrics port and spread over zones and hosts", () => {
    const { annotations } = deployment.spec?.template?.metadata ?? {};
    const constraints = podOf(deployment).topologySpreadConstraints ?? [];

    expect(annotations).toMatchObject({
      "prometheus.io/scrape": "true",
      "prometheus.io/port": String(metricsPort),
    });
    expect(constraints).toHaveLength(2);
    for (const { labelSelector } of constraints) {
      expect(selects(labelSelector.matchLabels, podLabels(deployment))).toBe(true);
    }
  });

  test("has time to drain before it is killed", () => {
    const drain = Number(environmentOf(container, manifests).get("BOURSE_DRAIN_MS")) / 1000;
    const pause = container.lifecycle?.preStop?.sleep?.seconds ?? 0;

    expect(podOf(deployment).terminationGracePeriodSeconds).toBe(30);
    expect(pause + drain + CLOSE_SECONDS).toBeLessThanOrEqual(30);
  });

  test("may be called by those that call it and nobody else, and calls whom it needs", async () => {
    const edges = await neededEdges();
    const policy = get("NetworkPolicy", name).spec;

    expect(policy?.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(policy?.podSelector?.matchLabels).toEqual({ "app.kubernetes.io/name": name });
    expect(policy?.ingress).toEqual([
      {
        from: [
          { namespaceSelector: { matchLabels: { "bourse.example/calls": "allowed" } } },
          ...edges.filter(({ to }) => to === name).map(({ from }) => podPeer(from)),
        ],
        ports: [{ port }],
      },
      {
        from: [
          { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
        ],
        ports: [{ port: metricsPort }],
      },
    ]);
    expect(sorted(policy?.egress)).toEqual(
      sorted(
        edges
          .filter(({ from }) => from === name)
          .map(({ to }) =>
            to === "postgres" || to === "redis"
              ? { ports: [{ port: PORTS[to] }] }
              : { to: [podPeer(to)], ports: [{ port: serviceOf(to).port }] },
          ),
      ),
    );
  });
});

describe("the migrations", () => {
  test("are a job for each service that has a schema, which migrates and ends", async () => {
    const withSchema = [];
    for (const { name } of SERVICES) {
      const variables = (await variablesOfService(name)) ?? [];
      if (variables.some((variable) => variable.name === "DATABASE_URL")) withSchema.push(name);
    }

    const jobs = manifests.filter((one) => one.kind === "Job");

    expect(jobs.map((job) => onlyContainer(job).args?.join()).sort()).toEqual(withSchema.sort());
    for (const job of jobs) {
      const variables = (await variablesOfService(onlyContainer(job).name)) ?? [];
      const environment = environmentOf(onlyContainer(job), manifests);
      expect(environment.get("BOURSE_MIGRATE_ONLY")).toBe("true");
      expect(environmentFaults(variables, environment)).toEqual([]);
    }
  });

  test("are no pods of a service", () => {
    for (const job of manifests.filter((one) => one.kind === "Job")) {
      for (const service of manifests.filter((one) => one.kind === "Service")) {
        expect(selects(service.spec?.selector, podLabels(job))).toBe(false);
      }
    }
  });
});

describe("every pod", () => {
  test.each(pods())("of $name keeps the restricted standard", ({ spec }) => {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    for (const { securityContext } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  test.each(pods())("of $name runs as an account and mounts volumes that exist", ({ spec }) => {
    const volumes = (spec.volumes ?? []).map((volume) => volume.name);
    const mounted = spec.containers.flatMap((one) => (one.volumeMounts ?? []).map((m) => m.name));

    expect(find("ServiceAccount", spec.serviceAccountName ?? "")).toBeDefined();
    expect([...new Set(mounted)].sort()).toEqual(volumes.sort());
  });

  test.each(pods())("of $name finds the files that its variables name", ({ spec }) => {
    for (const container of spec.containers) {
      const files = [...environmentOf(container, manifests)].filter(([n]) => n.endsWith("_FILE"));
      const folders = (container.volumeMounts ?? []).map((mount) => `${mount.mountPath}/`);

      expect(files).not.toEqual([]);
      for (const [, file] of files) {
        expect(folders.some((folder) => file?.startsWith(folder))).toBe(true);
      }
    }
  });

  test.each(pods())("of $name gets the key to sign with only if it calls others", async (pod) => {
    const [container] = pod.spec.containers;
    const variables = (await variablesOfService(container?.name ?? "")) ?? [];
    const secret = pod.spec.volumes?.find((volume) => volume.name === "keys")?.secret;
    const calls = calleesOf(variables).some(
      (callee) => callee !== "postgres" && callee !== "redis",
    );

    const signs = container?.env?.some((variable) => variable.name === "BOURSE_KEY_FILE");
    const onlyPublic = { items: [{ key: "jwks.json", path: "jwks.json" }] };

    expect(signs).toBe(calls);
    if (calls) expect(secret).not.toMatchObject(onlyPublic);
    else expect(secret).toMatchObject(onlyPublic);
  });
});

describe("the network", () => {
  test("is closed to all that no policy opens", () => {
    expect(get("NetworkPolicy", "deny-all").spec).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
  });

  test("has a policy for each service, one for names and no other", () => {
    const names = manifests
      .filter((one) => one.kind === "NetworkPolicy")
      .map((one) => one.metadata.name);

    const expected = [...SERVICES.map((service) => service.name), "deny-all", "names"];

    expect(names.sort()).toEqual(expected.sort());
  });
});

describe("the check of environments", () => {
  test("finds what is set in vain and what is missing", () => {
    const variables = [
      { name: "A", required: true, default: undefined, description: "" },
      { name: "B", required: false, default: "1", description: "" },
    ];

    expect(environmentFaults(variables, new Map([["C", "1"]]))).toEqual([
      "C is set but not read",
      "A is required but not set",
    ]);
    expect(environmentFaults(variables, new Map([["A", undefined]]))).toEqual([]);
  });

  test("reads calls from variables", () => {
    const names = ["BOURSE_LEDGER_ADDRESS", "BOURSE_LISTEN", "DATABASE_URL", "REDIS_URL"];
    const variables = names.map((name) => ({
      name,
      required: true,
      default: undefined,
      description: "",
    }));

    expect(calleesOf(variables)).toEqual(["ledger", "postgres", "redis"]);
  });
});

/** Who calls whom, by what the services' own configuration names; callers by name. */
async function neededEdges(): Promise<readonly { from: string; to: string }[]> {
  const edges = [];
  for (const { name } of SERVICES) {
    for (const to of calleesOf((await variablesOfService(name)) ?? [])) {
      edges.push({ from: name, to });
    }
  }
  return edges.sort((a, b) => a.from.localeCompare(b.from));
}

function podPeer(name: string) {
  const labels = { "app.kubernetes.io/name": name, "app.kubernetes.io/component": "service" };
  return { podSelector: { matchLabels: labels } };
}

function sorted(rules: readonly unknown[] | undefined): readonly string[] {
  return (rules ?? []).map((rule) => JSON.stringify(rule)).sort();
}

function serviceOf(name: string) {
  const service = SERVICES.find((one) => one.name === name);
  if (service === undefined) throw new Error(`no service ${name}`);
  return service;
}

function pods(): readonly { name: string; spec: PodSpec }[] {
  return manifests.flatMap((one) =>
    one.spec?.template === undefined
      ? []
      : [{ name: one.metadata.name, spec: one.spec.template.spec }],
  );
}

function find(kind: string, name: string): Manifest | undefined {
  return manifests.find((one) => one.kind === kind && one.metadata.name === name);
}

function get(kind: string, name: string): Manifest {
  const found = find(kind, name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

function podOf(manifest: Manifest): PodSpec {
  const spec = manifest.spec?.template?.spec;
  if (spec === undefined) throw new Error(`${manifest.metadata.name} has no pods`);
  return spec;
}

function podLabels(manifest: Manifest) {
  return manifest.spec?.template?.metadata.labels;
}

function onlyContainer(manifest: Manifest): Container {
  const [container, ...more] = podOf(manifest).containers;
  if (container === undefined || more.length > 0) throw new Error("expected one container");
  return container;
}
